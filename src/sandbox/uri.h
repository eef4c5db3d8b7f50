/* Text within a connection string. */
#ifndef TF_SANDBOX_URI_H
#define TF_SANDBOX_URI_H

#include <stdbool.h>
#include <stddef.h>

/* Percent-encodes all but letters, digits, "-._~" and the characters of `keep`; false when it does not fit. */
bool tf_uri_encode(const char *text, const char *keep, char *out, size_t size);

#endif
