# libtokenfix: the engine for programs of others, made of the same objects. It exports what include/tokenfix declares and hides the
# rest; the linker takes from the archive only what that needs, and so neither terminal nor configuration nor HTTP.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

configure_file(include/tokenfix/version.h.in ${CMAKE_BINARY_DIR}/include/tokenfix/version.h @ONLY)
add_library(libtokenfix SHARED src/embed/tokenfix.c src/embed/migrations.c)
# While the major version is 0, the interface is that of a minor version.
set_target_properties(libtokenfix PROPERTIES OUTPUT_NAME tokenfix EXPORT_NAME tokenfix VERSION ${PROJECT_VERSION}
                      SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
target_include_directories(libtokenfix PRIVATE ${CMAKE_BINARY_DIR}/include PUBLIC $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(libtokenfix PRIVATE $<BUILD_INTERFACE:tokenfix_lib> PUBLIC PkgConfig::MONGOC)
target_link_options(libtokenfix PRIVATE -Wl,--as-needed)

install(TARGETS libtokenfix EXPORT tokenfix LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/tokenfix DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(FILES ${CMAKE_BINARY_DIR}/include/tokenfix/version.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/tokenfix)
install(DIRECTORY examples DESTINATION ${CMAKE_INSTALL_DOCDIR})

# pkg-config and CMake: what the headers include must be found too
if(MONGOC_MODULE_NAME)
  set(TF_MONGOC ${MONGOC_MODULE_NAME})
else()
  set(TF_MONGOC libmongoc-1.0)
endif()
configure_file(cmake/libtokenfix.pc.in ${CMAKE_BINARY_DIR}/libtokenfix.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/libtokenfix.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/tokenfix)
install(EXPORT tokenfix NAMESPACE tokenfix:: FILE tokenfixTargets.cmake DESTINATION ${package})
configure_package_config_file(cmake/tokenfixConfig.cmake.in ${CMAKE_BINARY_DIR}/tokenfixConfig.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/tokenfixConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/tokenfixConfig.cmake ${CMAKE_BINARY_DIR}/tokenfixConfigVersion.cmake DESTINATION ${package})
