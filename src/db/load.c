#include "db/load.h"

#include "db/operation.h"

#include <math.h>
#include <tokenfix/cleanup.h>

bool tf_load_parse(const char *text, const char *option, tf_load_limit *out, tf_error *err)
{
    const char *sign = strrchr(text, '=');
    char *end = NULL;
    double limit = sign ? strtod(sign + 1, &end) : 0;
    size_t length = sign ? (size_t)(sign - text) : 0;
    if (length == 0 || length >= sizeof out->path || end == sign + 1 || *end || !isfinite(limit)) {
        tf_error_set(err, TF_ERR_USAGE, "option '--%s' does not understand '%.100s'", option, text);
        return tf_error_hint(err, "Write PATH=LIMIT, a path in the reply of serverStatus and a number: "
                                  "--%s wiredTiger.concurrentTransactions.write.out=100", option);
    }
    snprintf(out->path, sizeof out->path, "%.*s", (int)length, text);
    out->limit = limit;
    return true;
}

static bool value_at(const bson_t *status, const char *path, double *value)
{
    bson_iter_t iter, at;
    if (!bson_iter_init(&iter, status) || !bson_iter_find_descendant(&iter, path, &at))
        return false;
    if (!BSON_ITER_HOLDS_NUMBER(&at) && !BSON_ITER_HOLDS_BOOL(&at))
        return false;
    *value = BSON_ITER_HOLDS_DOUBLE(&at) ? bson_iter_double(&at) : (double)bson_iter_as_int64(&at);
    return true;
}

const tf_load_limit *tf_load_reached(const tf_load_limit *limits, size_t count, const bson_t *status, double *value)
{
    for (size_t i = 0; i < count; i++)
        if (value_at(status, limits[i].path, value) && *value >= limits[i].limit)
            return &limits[i];
    return NULL;
}

bool tf_load_check(const tf_load_limit *limits, size_t count, const bson_t *status, tf_error *err)
{
    double value;
    for (size_t i = 0; i < count; i++)
        if (!value_at(status, limits[i].path, &value)) {
            tf_error_set(err, TF_ERR_NOT_FOUND, "serverStatus has no number at '%s'", limits[i].path);
            return tf_error_hint(err, "db.serverStatus() in mongosh shows what this server tells.");
        }
    return true;
}

bool tf_load_read(mongoc_client_t *client, bson_t *status, tf_error *err)
{
    tf_op op = {.client = client, .db = "admin", .what = "read serverStatus"};
    _cleanup_(bson_destroyp) bson_t *command = BCON_NEW("serverStatus", BCON_INT32(1));
    if (tf_op_command(&op, command, status, err))
        return true;
    if (err && err->code == TF_ERR_PERMISSION)
        tf_error_hint(err, "The role of 'validate --print-role=monitor' allows it.");
    return false;
}
