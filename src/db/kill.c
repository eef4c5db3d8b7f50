#include "db/kill.h"

#include "base/clock.h"
#include "base/field.h"
#include "db/client.h"

#include <tokenfix/cleanup.h>

enum { PATIENCE_MS = 600, TOGETHER_MS = 1500 };

static bool command(mongoc_client_t *client, uint32_t server, const bson_t *what, bson_t *reply)
{
    bson_error_t error;
    return mongoc_client_command_simple_with_server_id(client, "admin", what, NULL, server, reply, &error);
}

/* By command, not by $currentOp: that would be an aggregation like those that hang. */
static int kill_on(mongoc_client_t *client, uint32_t server, const char *comment)
{
    _cleanup_(bson_destroyp) bson_t *ask =
        BCON_NEW("currentOp", BCON_INT32(1), "$ownOps", BCON_BOOL(true), "command.comment", BCON_UTF8(comment));
    bson_t reply, list;
    bson_iter_t iter, id;
    int killed = 0;
    if (command(client, server, ask, &reply) && tf_field_view(&reply, "inprog", &list))
        for (bool more = bson_iter_init(&iter, &list); more && bson_iter_next(&iter);) {
            _cleanup_bson_ bson_t end = BSON_INITIALIZER;
            bson_t op, answer;
            if (!tf_field_view(&list, bson_iter_key(&iter), &op) || !bson_iter_init_find(&id, &op, "opid"))
                continue;
            BSON_APPEND_INT32(&end, "killOp", 1);
            bson_append_iter(&end, "op", -1, &id);
            killed += command(client, server, &end, &answer);
            bson_destroy(&answer);
        }
    bson_destroy(&reply);
    return killed;
}

int tf_kill_operations(mongoc_client_t *client, const char *comment)
{
    _cleanup_(mongoc_client_destroyp) mongoc_client_t *own = tf_client_impatient(client, "tokenfix-kill", PATIENCE_MS);
    _cleanup_(bson_destroyp) bson_t *hello = BCON_NEW("hello", BCON_INT32(1));
    _cleanup_(mongoc_read_prefs_destroyp) mongoc_read_prefs_t *any = mongoc_read_prefs_new(MONGOC_READ_NEAREST);
    size_t count = 0;
    int killed = 0;
    int64_t until = tf_clock_ms() + TOGETHER_MS;
    if (!own || !mongoc_client_command_simple(own, "admin", hello, any, NULL, NULL)) /* makes it look for the members */
        return 0;
    mongoc_server_description_t **servers = mongoc_client_get_server_descriptions(own, &count);
    for (size_t i = 0; i < count && tf_clock_ms() < until; i++)
        if (strcmp(mongoc_server_description_type(servers[i]), "Unknown") != 0)
            killed += kill_on(own, mongoc_server_description_id(servers[i]), comment);
    mongoc_server_descriptions_destroy_all(servers, count);
    return killed;
}
