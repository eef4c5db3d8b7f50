#include "db/client.h"

#include "db/failure.h"
#include "db/handshake.h"
#include "db/operation.h"
#include "db/transport.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <tokenfix/cleanup.h>

enum { POOL_SIZE = 100 };

static void initialise_driver(void)
{
    OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL); /* first: tf_client_leave leaves threads behind that may use it */
    mongoc_log_set_handler(NULL, NULL); /* the driver's own log would print what we report as errors, or more */
    mongoc_init();
}

/* Through the driver's pointers: it frees the password of its own accord, but not its string and its options wiped. */
static void wipe(const char *text)
{
    if (text)
        explicit_bzero((char *)(uintptr_t)text, strlen(text));
}

void tf_client_forget(mongoc_uri_t *uri)
{
    if (!uri)
        return;
    wipe(mongoc_uri_get_password(uri));
    wipe(mongoc_uri_get_option_as_utf8(uri, MONGOC_URI_TLSCERTIFICATEKEYFILEPASSWORD, NULL));
    wipe(mongoc_uri_get_string(uri));
    mongoc_uri_destroy(uri);
}

TF_CLEANUP(mongoc_uri_t *, tf_client_forget)

/* What is safe is not the connection string's to say: a read from a secondary is refused in a transaction, and an unacknowledged write
 * goes with no session; with either a run would begin and could never be resumed. */
static void set_concerns(mongoc_uri_t *uri)
{
    mongoc_read_prefs_t *primary = mongoc_read_prefs_new(MONGOC_READ_PRIMARY);
    mongoc_write_concern_t *majority = mongoc_write_concern_new();
    mongoc_write_concern_set_wmajority(majority, 0);
    mongoc_write_concern_set_journal(majority, true);
    mongoc_uri_set_read_prefs_t(uri, primary);
    mongoc_uri_set_write_concern(uri, majority);
    mongoc_write_concern_destroy(majority);
    mongoc_read_prefs_destroy(primary);
}

/* The pool and each of its clients keep a copy of the string, and with it the password, to log in again after a lost
 * connection: those we cannot wipe. The driver wipes the password when it frees them; the password of the client's key it
 * just frees. */
static mongoc_client_pool_t *open_pool(const mongoc_uri_t *uri, int64_t timeout_ms, tf_error *err)
{
    _cleanup_(tf_client_forgetp) mongoc_uri_t *copy = mongoc_uri_copy(uri);
    mongoc_uri_set_option_as_int32(copy, MONGOC_URI_SERVERSELECTIONTIMEOUTMS,
                                   (int32_t)(timeout_ms - tf_handshake_reserve(timeout_ms)));
    mongoc_uri_set_option_as_int32(copy, MONGOC_URI_CONNECTTIMEOUTMS, (int32_t)timeout_ms);
    mongoc_uri_set_option_as_bool(copy, MONGOC_URI_RETRYREADS, true);
    mongoc_uri_set_option_as_bool(copy, MONGOC_URI_RETRYWRITES, true);
    /* each worker and the heartbeat hold a client to their end: in a smaller pool one would wait for it for ever */
    mongoc_uri_set_option_as_int32(copy, MONGOC_URI_MAXPOOLSIZE, POOL_SIZE);
    mongoc_uri_set_appname(copy, "tokenfix");
    set_concerns(copy);
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
    return tf_error_hint(err,
                         "Older servers cannot compare mixed _id types with index bounds; upgrade the server first.");
}

/* Nobody logs in before it is certain that all members may be talked to. */
static bool greet(tf_client *client, const mongoc_uri_t *uri, int64_t timeout_ms, unsigned allowed, tf_error *err)
{
    if (tf_transport_check_members(client->client, client->roster, uri, allowed, err) &&
        tf_facts_read(client->client, &client->facts, err))
        return check_version(&client->facts, err);
    tf_handshake_explain(client->roster, uri, timeout_ms, err);
    return false;
}

void tf_client_begin(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, initialise_driver);
}

bool tf_client_open(const mongoc_uri_t *uri, const char *db, const char *state_db, int64_t timeout_ms, unsigned allowed,
                    tf_client *out, tf_error *err)
{
    tf_error local = {0};
    err = err ? err : &local;
    tf_client_begin();
    tf_client client = {.db = bson_strdup(db), .state_db = bson_strdup(state_db)};
    client.pool = open_pool(uri, timeout_ms, err);
    if (client.pool && !(client.roster = tf_roster_new(client.pool)))
        tf_error_set(err, TF_ERR_MEMORY, "out of memory");
    if (client.roster)
        client.client = mongoc_client_pool_pop(client.pool);
    if (!client.client || !greet(&client, uri, timeout_ms, allowed, err)) {
        tf_client_close(&client);
        return false;
    }
    *out = client;
    return true;
}

void tf_client_close(tf_client *client)
{
    if (client->client) {
        tf_op_release(client->client);
        mongoc_client_pool_push(client->pool, client->client);
    }
    if (client->pool)
        mongoc_client_pool_destroy(client->pool);
    tf_roster_free(client->roster);
    free(client->db);
    free(client->state_db);
    *client = (tf_client){0};
}

static tf_client left; /* reachable: what the threads use is no leak */

void tf_client_leave(tf_client *client)
{
    if (client->client && mongoc_uri_get_tls(mongoc_client_get_uri(client->client))) {
        tf_client_close(client);
        return;
    }
    if (client->client) {
        tf_op_release(client->client);
        mongoc_client_pool_push(client->pool, client->client);
    }
    client->client = NULL;
    if (!left.pool) {
        left = (tf_client){.pool = client->pool, .roster = client->roster};
        client->pool = NULL;
        client->roster = NULL;
    }
    tf_client_close(client);
}

void tf_client_end(void)
{
    if (!left.pool)
        mongoc_cleanup();
}

mongoc_client_t *tf_client_impatient(mongoc_client_t *client, const char *name, int32_t patience_ms)
{
    _cleanup_(tf_client_forgetp) mongoc_uri_t *uri = mongoc_uri_copy(mongoc_client_get_uri(client));
    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SOCKETTIMEOUTMS, patience_ms);
    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_CONNECTTIMEOUTMS, patience_ms);
    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, 2 * patience_ms);
    mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYREADS, false); /* 1.23.1 leaks the reply that made it try again */
    mongoc_uri_set_appname(uri, name);
    mongoc_client_t *own = mongoc_client_new_from_uri(uri);
    if (own)
        mongoc_client_set_error_api(own, 2);
    return own;
}

uint64_t tf_client_moment(mongoc_client_t *client)
{
    tf_op op = {.client = client, .db = "admin", .what = "ask for the newest write"};
    tf_error ignored = {0};
    bson_iter_t iter, at;
    uint32_t seconds = 0, increment = 0;
    _cleanup_bson_ bson_t reply = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *command = BCON_NEW("hello", BCON_INT32(1));
    if (!tf_op_command(&op, command, &reply, &ignored) || !bson_iter_init(&iter, &reply) ||
        !bson_iter_find_descendant(&iter, "lastWrite.majorityOpTime.ts", &at) || !BSON_ITER_HOLDS_TIMESTAMP(&at))
        return 0;
    bson_iter_timestamp(&at, &seconds, &increment);
    return (uint64_t)seconds << 32 | increment;
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
