/* Values as people read them, the same in every locale. Each function fills and returns `out`; the macros supply a
 * buffer that lives as long as the enclosing block, so that they can stand among the arguments of printf. */
#ifndef TF_REPORT_FORMAT_H
#define TF_REPORT_FORMAT_H

#include <stdint.h>

#define TF_FORMAT_MAX 64

const char *tf_format_count(int64_t count, char out[static TF_FORMAT_MAX]);             /* 1,234,567 */
const char *tf_format_duration(int64_t milliseconds, char out[static TF_FORMAT_MAX]);   /* 840 ms; 1.5 s; 1 m 12 s */
const char *tf_format_bytes(int64_t bytes, char out[static TF_FORMAT_MAX]);             /* 512 B; 1.5 MiB */
const char *tf_format_time(int64_t milliseconds, char out[static TF_FORMAT_MAX]);       /* 2026-11-20T17:30:24.123Z */
const char *tf_format_real(double value, int decimals, char out[static TF_FORMAT_MAX]); /* 12.50; decimals 0 to 9 */

#define TF_COUNT(n) tf_format_count((n), (char[TF_FORMAT_MAX]){0})
#define TF_DURATION(ms) tf_format_duration((ms), (char[TF_FORMAT_MAX]){0})
#define TF_BYTES(n) tf_format_bytes((n), (char[TF_FORMAT_MAX]){0})
#define TF_TIME(ms) tf_format_time((ms), (char[TF_FORMAT_MAX]){0})

#endif
