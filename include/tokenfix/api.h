/* What brackets the declarations of a public header: C linkage, and visible outside of libtokenfix, which hides all else. */
#ifndef TOKENFIX_API_H
#define TOKENFIX_API_H

#ifdef __cplusplus
#define TF_API_BEGIN _Pragma("GCC visibility push(default)") extern "C" {
#define TF_API_END                                                                                                     \
    }                                                                                                                  \
    _Pragma("GCC visibility pop")
#else
#define TF_API_BEGIN _Pragma("GCC visibility push(default)")
#define TF_API_END _Pragma("GCC visibility pop")
#endif

#endif
