#include "sandbox/seed_index.h"

#include <tokenfix/cleanup.h>

typedef struct index_row {
    int from; /* created where so many indexes or more are wanted */
    bool unique;
    const char *keys; /* JSON */
    const char *name;
} index_row;

static const index_row TOKEN_INDEXES[] = {
    {8, false, "{\"npub\": 1, \"status\": 1}", "npub_1_status_1"},
    {8, false, "{\"npub\": 1, \"transaction_type\": 1}", "npub_1_transaction_type_1"},
    {8, false, "{\"npub\": 1, \"created_at\": -1}", "npub_1_created_at_-1"},
    {8, false, "{\"wallet_id\": 1, \"status\": 1}", "wallet_id_1_status_1"},
    {8, true, "{\"transaction_id\": 1}", "transaction_id_1"},
    {8, false, "{\"mint_url\": 1, \"status\": 1}", "mint_url_1_status_1"},
    {8, false, "{\"proofs.secret\": 1}", "proofs.secret_1"},
    {12, false, "{\"npub\": 1, \"mint_url\": 1, \"status\": 1}", "npub_1_mint_url_1_status_1"},
    {12, false, "{\"npub\": 1, \"transaction_type\": 1, \"status\": 1}", "npub_1_transaction_type_1_status_1"},
    {12, false, "{\"metadata.parent_transaction_id\": 1}", "metadata.parent_transaction_id_1"},
    {12, false, "{\"spent_at\": 1}", "spent_at_1"},
};
static const index_row WALLET_INDEXES[] = {{8, true, "{\"npub\": 1, \"mint_url\": 1}", "npub_1_mint_url_1"}};

/* Beyond so many tokens each index is a command of its own: one for all could outlast the driver's socket timeout. */
static const int64_t TOGETHER_BELOW = 2000000;

bool tf_seed_failed(tf_error *err, const bson_error_t *error, const char *what)
{
    const bool from_server = error->domain == MONGOC_ERROR_SERVER || error->domain == MONGOC_ERROR_WRITE_CONCERN;

    if (from_server && error->code == 13)
        tf_error_set(err, TF_ERR_PERMISSION, "Permission denied");
    else if (error->domain == MONGOC_ERROR_STREAM || error->domain == MONGOC_ERROR_SERVER_SELECTION)
        tf_error_set(err, TF_ERR_CONNECT, "Database connection not ready");
    else if (error->code == MONGOC_ERROR_CLIENT_AUTHENTICATE && error->domain == MONGOC_ERROR_CLIENT)
        tf_error_set(err, TF_ERR_AUTH, "authentication failed");
    else
        tf_error_set(err, TF_ERR_SERVER, "cannot %s", what);
    if (err)
        err->server_code = (int32_t)error->code;
    tf_error_detail(err, "%s: %s", what, error->message);
    return tf_error_hint(err, "Part of the sample data may stand: empty the database before seeding it again.");
}

static bool append_row(bson_t *array, uint32_t place, const index_row *row, bson_error_t *error)
{
    _cleanup_(bson_destroyp) bson_t *keys = bson_new_from_json((const uint8_t *)row->keys, -1, error);
    char number[16];
    const char *key;
    bson_t index;

    if (!keys)
        return false;
    bson_uint32_to_string(place, &key, number, sizeof number);
    bson_append_document_begin(array, key, -1, &index);
    BSON_APPEND_DOCUMENT(&index, "key", keys);
    BSON_APPEND_UTF8(&index, "name", row->name);
    if (row->unique)
        BSON_APPEND_BOOL(&index, "unique", true);
    bson_append_document_end(array, &index);
    return true;
}

static bool create(mongoc_collection_t *collection, const index_row *rows, size_t count, int indexes, tf_error *err)
{
    _cleanup_bson_ bson_t command = BSON_INITIALIZER;
    bson_error_t error = {0};
    uint32_t places = 0;
    bool good = true;
    bson_t array;

    BSON_APPEND_UTF8(&command, "createIndexes", mongoc_collection_get_name(collection));
    BSON_APPEND_ARRAY_BEGIN(&command, "indexes", &array);
    for (size_t i = 0; good && i < count; i++)
        if (rows[i].from <= indexes)
            good = append_row(&array, places++, &rows[i], &error);
    bson_append_array_end(&command, &array);
    if (good && places > 0)
        good = mongoc_collection_write_command_with_opts(collection, &command, NULL, NULL, &error);
    return good || tf_seed_failed(err, &error, "create the indexes");
}

bool tf_seed_index(mongoc_client_t *client, const char *db, int indexes, int64_t tokens, tf_error *err)
{
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *collection =
        mongoc_client_get_collection(client, db, "cashu_tokens");
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *wallets =
        mongoc_client_get_collection(client, db, "cashu_wallets");
    const size_t count = sizeof TOKEN_INDEXES / sizeof *TOKEN_INDEXES;
    const size_t step = tokens < TOGETHER_BELOW ? count : 1;

    if (!create(wallets, WALLET_INDEXES, 1, indexes, err))
        return false;
    for (size_t i = 0; i < count; i += step)
        if (!create(collection, TOKEN_INDEXES + i, step, indexes, err))
            return false;
    return true;
}
