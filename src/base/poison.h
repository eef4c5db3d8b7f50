/* Included before every translation unit: functions without a bound, or that run a shell, or that let the locale say which
 * letters are the same, do not compile here. */
#ifndef TF_BASE_POISON_H
#define TF_BASE_POISON_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* glibc defines some of them as macros when it is asked to fortify */
#undef strcpy
#undef strcat
#undef sprintf
#undef vsprintf
#undef strtok

#pragma GCC poison strcpy strcat sprintf vsprintf gets system popen strtok tmpnam mktemp strcasecmp strncasecmp

#endif
