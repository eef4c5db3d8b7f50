#include "db/facts.h"

#include "base/clock.h"
#include "db/failure.h"
#include "db/operation.h"

#include <tokenfix/cleanup.h>

static bool is_true(const bson_t *doc, const char *key)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, doc, key) && bson_iter_as_bool(&iter);
}

static void copy_text(const bson_t *doc, const char *key, char *into, size_t size)
{
    bson_iter_t iter;
    if (bson_iter_init_find(&iter, doc, key) && BSON_ITER_HOLDS_UTF8(&iter))
        snprintf(into, size, "%s", bson_iter_utf8(&iter, NULL));
}

static int count_array(const bson_t *doc, const char *key)
{
    bson_iter_t iter, child;
    int n = 0;
    if (bson_iter_init_find(&iter, doc, key) && bson_iter_recurse(&iter, &child))
        while (bson_iter_next(&child))
            n++;
    return n;
}

static bool knows_a_secondary(mongoc_client_t *client)
{
    size_t count = 0;
    bool found = false;
    mongoc_server_description_t **servers = mongoc_client_get_server_descriptions(client, &count);
    for (size_t i = 0; i < count; i++)
        found = found || strcmp(mongoc_server_description_type(servers[i]), "RSSecondary") == 0;
    mongoc_server_descriptions_destroy_all(servers, count);
    return found;
}

/* A new connection knows first the member that answered first: where a secondary would do, it would be asked although
 * there is a primary. Without a primary a secondary does, for those who only look. */
static bool await_primary(mongoc_client_t *client, tf_error *err)
{
    bson_error_t error;
    mongoc_server_description_t *primary = mongoc_client_select_server(client, true, NULL, &error);
    if (!primary)
        return knows_a_secondary(client) || tf_failure(err, &error, NULL, "find the server", NULL, NULL);
    mongoc_server_description_destroy(primary);
    return true;
}

bool tf_facts_read(mongoc_client_t *client, tf_facts *out, tf_error *err)
{
    tf_op op = {.client = client, .db = "admin", .what = "ask the server what it is"};
    tf_facts facts = {0};
    _cleanup_bson_ bson_t hello = BSON_INITIALIZER, build = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *ask_hello = BCON_NEW("hello", BCON_INT32(1));
    _cleanup_(bson_destroyp) bson_t *ask_build = BCON_NEW("buildInfo", BCON_INT32(1));
    if (!await_primary(client, err))
        return false;
    if (!tf_op_command(&op, ask_build, &build, err))
        return false;
    int64_t before = tf_clock_us();
    if (!tf_op_command(&op, ask_hello, &hello, err))
        return false;
    facts.round_trip_ms = (tf_clock_us() - before) / 1000;
    copy_text(&build, "version", facts.version, sizeof facts.version);
    sscanf(facts.version, "%d.%d", &facts.major, &facts.minor);
    copy_text(&hello, "setName", facts.set_name, sizeof facts.set_name);
    copy_text(&hello, "me", facts.host, sizeof facts.host);
    char message[32] = "";
    copy_text(&hello, "msg", message, sizeof message);
    facts.sharded = strcmp(message, "isdbgrid") == 0;
    facts.writable = is_true(&hello, "isWritablePrimary");
    facts.transactions = facts.sharded || facts.set_name[0];
    facts.members = count_array(&hello, "hosts");
    bson_iter_t iter;
    if (bson_iter_init_find(&iter, &hello, "localTime") && BSON_ITER_HOLDS_DATE_TIME(&iter)) {
        facts.time_ms = bson_iter_date_time(&iter);
        facts.offset_ms = facts.time_ms - tf_clock_wall_ms();
    }
    *out = facts;
    return true;
}
