# One interface target carries every compiler switch, so that no target can be built with fewer checks.
add_library(tf_flags INTERFACE)
# -Wno-format-truncation (clang has no such warning): messages are cut to the size of their buffer on purpose; snprintf is the bound.
target_compile_options(tf_flags INTERFACE -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2
  -Wundef -Wvla -Wpointer-arith -Wcast-qual -fno-common -fno-omit-frame-pointer
  $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation>
  -include ${CMAKE_SOURCE_DIR}/src/base/poison.h
  -fPIC -fvisibility=hidden) # the same objects make libtokenfix, which shows what include/tokenfix declares
target_compile_definitions(tf_flags INTERFACE _GNU_SOURCE TF_POISON)
if(TF_WERROR)
  # what a newer library deprecates is its news, not an error of ours: it warns
  target_compile_options(tf_flags INTERFACE -Werror -Wno-error=deprecated-declarations)
endif()
if(TF_FAILPOINTS)
  target_compile_definitions(tf_flags INTERFACE TF_FAILPOINTS=1)
endif()
if(TF_FUZZ)
  target_compile_options(tf_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(TF_SANITIZE_THREAD)
  target_compile_options(tf_flags INTERFACE -fsanitize=thread)
  target_link_options(tf_flags INTERFACE -fsanitize=thread)
elseif(TF_SANITIZE)
  target_compile_options(tf_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=undefined)
  target_link_options(tf_flags INTERFACE -fsanitize=address,undefined)
elseif(TF_HARDEN)
  target_compile_options(tf_flags INTERFACE -fstack-protector-strong -fstack-clash-protection -fcf-protection)
  if(CMAKE_BUILD_TYPE MATCHES "Rel")
    target_compile_options(tf_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
  endif()
  target_link_options(tf_flags INTERFACE -pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack)
endif()
if(TF_COVERAGE)
  target_compile_options(tf_flags INTERFACE --coverage -fprofile-update=atomic)
  target_link_options(tf_flags INTERFACE --coverage)
endif()
