#include "db/client.h"

#include "db/failure.h"
#include "db/operation.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <tokenfix/cleanup.h>

static void initialise_driver(void)
{
    OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL); /* tf_client_leave leaves threads behind that may use it */
    mongoc_log_set_handler(NULL, NULL); /* the driver's own log would print what we report as errors, or more */
    mongoc_init();
}

static mongoc_client_pool_t *open_pool(const mongoc_uri_t *uri, int64_t timeout_ms, tf_error *err)
{
    _cleanup_(mongoc_uri_destroyp) mongoc_uri_t *copy = mongoc_uri_copy(uri);
    mongoc_uri_set_option_as_int32(copy, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, (int32_t)timeout_ms);
    mongoc_uri_set_option_as_int32(copy, MONGOC_URI_CONNECTTIMEOUTMS, (int32_t)timeout_ms);
    mongoc_uri_set_option_as_bool(copy, MONGOC_URI_RETRYREADS, true);
    mongoc_uri_set_option_as_bool(copy, MONGOC_URI_RETRYWRITES, true);
    mongoc_uri_set_appname(copy, "tokenfix");
    bson_error_t error;
    mongoc_client_pool_t *pool = mongoc_client_pool_new_with_error(copy, &error);
    if (!pool) {
        tf_error_set(err, TF_ERR_USAGE, "the connection string cannot be used: %s", error.message);
        return NULL;
    }
    mongoc_client_pool_set_error_api(pool, 2);
    return pool;
}

static bool check_version(const tf_facts *facts, tf_error *err)
{
    if (facts->major >= 5)
        return true;
    tf_error_set(err, TF_ERR_UNSUPPORTED, "the server is MongoDB %s, the oldest supported is 5.0", facts->version);
    return tf_error_hint(err, "Older servers cannot compare mixed _id types with index bounds; upgrade the server first.");
}

bool tf_client_open(const mongoc_uri_t *uri, const char *db, const char *state_db, int64_t timeout_ms, tf_client *out,
                    tf_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, initialise_driver);
    tf_client client = {.db = strdup(db), .state_db = strdup(state_db)};
    client.pool = open_pool(uri, timeout_ms, err);
    if (client.pool)
        client.client = mongoc_client_pool_pop(client.pool);
    if (!client.client || !tf_facts_read(client.client, &client.facts, err) || !check_version(&client.facts, err)) {
        tf_client_close(&client);
        return false;
    }
    *out = client;
    return true;
}

void tf_client_close(tf_client *client)
{
    if (client->client)
        mongoc_client_pool_push(client->pool, client->client);
    if (client->pool)
        mongoc_client_pool_destroy(client->pool);
    free(client->db);
    free(client->state_db);
    *client = (tf_client){0};
}

void tf_client_leave(tf_client *client)
{
    static mongoc_client_pool_t *left; /* reachable: what the threads use is no leak */
    if (client->client)
        mongoc_client_pool_push(client->pool, client->client);
    if (left && client->pool)
        mongoc_client_pool_destroy(client->pool);
    else if (client->pool)
        left = client->pool;
    client->client = NULL;
    client->pool = NULL;
    tf_client_close(client);
}

bool tf_client_now(mongoc_client_t *client, int64_t *ms, tf_error *err)
{
    tf_op op = {.client = client, .db = "admin", .what = "ask for the server's time"};
    _cleanup_bson_ bson_t reply = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *command = BCON_NEW("hello", BCON_INT32(1));
    bson_iter_t iter;
    if (!tf_op_command(&op, command, &reply, err))
        return false;
    if (!bson_iter_init_find(&iter, &reply, "localTime") || !BSON_ITER_HOLDS_DATE_TIME(&iter))
        return tf_error_set(err, TF_ERR_SERVER, "the server does not tell its time");
    *ms = bson_iter_date_time(&iter);
    return true;
}
