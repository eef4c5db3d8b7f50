/* Credentials of connection strings, hidden. */
#ifndef TF_BASE_REDACT_H
#define TF_BASE_REDACT_H

#include <stdbool.h>
#include <stddef.h>

/* Copies a connection string with `<hidden>` for its password and for secret options; what does not fit is cut.
 * Also of a malformed string no part of a password survives. Returns `out`. */
const char *tf_redact_uri(const char *uri, char *out, size_t size);

/* The same for every connection string inside `text`. */
const char *tf_redact_text(const char *text, char *out, size_t size);

/* Whether a connection string carries a password. */
bool tf_redact_needed(const char *uri);

#endif
