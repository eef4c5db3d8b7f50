/* Where the server is: the connection string as it was given, or as --host and --port make it. */
#ifndef TF_CMD_ADDRESS_H
#define TF_CMD_ADDRESS_H

#include <mongoc/mongoc.h>
#include <tokenfix/error.h>

#include "base/command.h"

typedef struct tf_address {
    char *text;       /* with an x in the place of the password */
    char *password;   /* as it is typed, not percent-encoded; "" where there is none */
    bool malformed;   /* user or password are not as they have to be */
    tf_source source; /* where the address came from */
} tf_address;

/* Release *out with tf_address_done, which wipes it. TF_ERR_USAGE: named twice, malformed, or a file cannot be read. */
bool tf_address_find(const tf_globals *globals, tf_address *out, tf_error *err);
void tf_address_done(tf_address *address);

/* NULL with TF_ERR_USAGE where the driver cannot parse it. */
mongoc_uri_t *tf_address_parse(const tf_address *address, tf_error *err);

#endif
