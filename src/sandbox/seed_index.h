/* The indexes of the sample data. */
#ifndef TOKENFIX_SANDBOX_SEED_INDEX_H
#define TOKENFIX_SANDBOX_SEED_INDEX_H

#include <mongoc/mongoc.h>
#include <tokenfix/error.h>

/* Creates the indexes of cashu_tokens, 12 or 8 with _id's, and the unique one of cashu_wallets; `tokens` documents are
 * there already. 0 creates none. */
bool tf_seed_index(mongoc_client_t *client, const char *db, int indexes, int64_t tokens, tf_error *err);

/* Fills *err from the driver's or server's error; false. */
bool tf_seed_failed(tf_error *err, const bson_error_t *error, const char *what);

#endif
