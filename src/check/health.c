#include "check/health.h"

#include "base/clock.h"
#include "base/field.h"
#include "db/failure.h"
#include "db/members.h"
#include "db/operation.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <tokenfix/cleanup.h>

const char *tf_health_name(tf_health_part part)
{
    static const char *const names[TF_HEALTH_PARTS] = {[TF_HEALTH_CONNECTION] = "connection",
                                                       [TF_HEALTH_ROUND_TRIP] = "round_trip",
                                                       [TF_HEALTH_MEMBERS] = "members",
                                                       [TF_HEALTH_LAG] = "majority_lag",
                                                       [TF_HEALTH_INDEXES] = "indexes"};
    return names[part];
}

bool tf_health_is_degraded(const tf_health *health)
{
    for (size_t i = 0; i < TF_HEALTH_PARTS; i++)
        if (health->parts[i].degraded)
            return true;
    return false;
}

static void good(tf_health *out, tf_health_part part)
{
    out->parts[part].looked = true;
}

__attribute__((format(printf, 3, 4))) static void bad(tf_health *out, tf_health_part part, const char *format, ...)
{
    va_list args;
    out->parts[part].looked = out->parts[part].degraded = true;
    va_start(args, format);
    vsnprintf(out->parts[part].text, sizeof out->parts[part].text, format, args);
    va_end(args);
}

static void unseen(tf_health *out, tf_health_part part, const char *why)
{
    snprintf(out->parts[part].text, sizeof out->parts[part].text, "%s", why);
}

void tf_health_lost(const tf_error *why, tf_health *out)
{
    *out = (tf_health){0};
    bad(out, TF_HEALTH_CONNECTION, "%s%s%.200s", why->message, *why->detail ? ": " : "", why->detail);
}

static bool is_lost(const tf_error *err)
{
    return err->code == TF_ERR_CONNECT || (err->labels & TF_LABEL_NETWORK) != 0;
}

/* ---- the connection ---- */

static bool look_at_connection(mongoc_client_t *client, const tf_health_limits *limits, tf_health *out)
{
    tf_error err = {0};
    int64_t now = 0, begun = 0, took = 0;
    bool answers = tf_client_now(client, &now, &err); /* connects where it was not */
    if (answers) {
        begun = tf_clock_ms();
        answers = tf_client_now(client, &now, &err);
        took = tf_clock_ms() - begun;
    }
    if (!answers) {
        tf_health_lost(&err, out);
        return false;
    }
    good(out, TF_HEALTH_CONNECTION);
    out->round_trip_ms = took;
    if (took > limits->round_trip_ms)
        bad(out, TF_HEALTH_ROUND_TRIP, "the server answers in %" PRId64 " ms, the limit is %" PRId64 " ms", took, limits->round_trip_ms);
    else
        good(out, TF_HEALTH_ROUND_TRIP);
    return true;
}

/* ---- the members ---- */

/* What this side sees of them: who may not ask the set can still tell whether they are to be reached. */
static void look_from_here(mongoc_client_t *client, tf_health *out)
{
    size_t count = 0, unknown = 0;
    const char *one = "";
    mongoc_server_description_t **servers = mongoc_client_get_server_descriptions(client, &count);
    for (size_t i = 0; i < count; i++) {
        const char *type = mongoc_server_description_type(servers[i]);
        if (strcmp(type, "Unknown") != 0 && strcmp(type, "PossiblePrimary") != 0)
            continue;
        unknown++;
        one = mongoc_server_description_host(servers[i])->host_and_port;
    }
    if (unknown)
        bad(out, TF_HEALTH_MEMBERS, "%zu of %zu members cannot be reached, one is %s", unknown, count, one);
    else
        good(out, TF_HEALTH_MEMBERS);
    mongoc_server_descriptions_destroy_all(servers, count);
}

static void judge_members(mongoc_client_t *client, const tf_members *members, const tf_health_limits *limits, tf_health *out)
{
    if (!members->visible)
        look_from_here(client, out);
    else if (members->unhealthy)
        bad(out, TF_HEALTH_MEMBERS, "%d member%s not in working order, one is %s", members->unhealthy,
            members->unhealthy == 1 ? " is" : "s are", members->unhealthy_name);
    else
        good(out, TF_HEALTH_MEMBERS);
    if (!members->majority_known)
        unseen(out, TF_HEALTH_LAG, "the server does not tell how far a majority is");
    else if (!members->majority_reached)
        bad(out, TF_HEALTH_LAG, "the majority has not followed for more than %" PRId64 " ms", members->majority_lag_ms);
    else if (members->majority_lag_ms > limits->lag_ms || members->max_lag_ms > limits->lag_ms)
        bad(out, TF_HEALTH_LAG, "%s %" PRId64 " ms behind, the limit is %" PRId64 " ms",
            members->majority_lag_ms > limits->lag_ms ? "the majority is" : members->slowest,
            members->majority_lag_ms > limits->lag_ms ? members->majority_lag_ms : members->max_lag_ms, limits->lag_ms);
    else
        good(out, TF_HEALTH_LAG);
}

static bool look_at_members(mongoc_client_t *client, const tf_health_limits *limits, tf_health *out)
{
    tf_members members = {0};
    tf_error err = {0};
    if (tf_members_read(client, &members, &err)) {
        judge_members(client, &members, limits, out);
        return true;
    }
    if (is_lost(&err)) {
        tf_health_lost(&err, out);
        return false;
    }
    unseen(out, TF_HEALTH_MEMBERS, err.message);
    unseen(out, TF_HEALTH_LAG, err.message);
    return true;
}

/* ---- the indexes ---- */

bool tf_health_index_serves(const bson_t *have, const bson_t *wanted)
{
    bson_iter_t a, b;
    if (!bson_iter_init(&a, have) || !bson_iter_init(&b, wanted))
        return false;
    while (bson_iter_next(&b))
        if (!bson_iter_next(&a) || strcmp(bson_iter_key(&a), bson_iter_key(&b)) != 0)
            return false;
    return true;
}

/* A partial or hidden one serves not all. */
static bool is_among(const bson_t *list, const bson_t *wanted)
{
    bson_iter_t iter;
    for (bool more = bson_iter_init(&iter, list); more && bson_iter_next(&iter);) {
        bson_t index, key;
        if (tf_field_view(list, bson_iter_key(&iter), &index) && tf_field_view(&index, "key", &key) &&
            !bson_has_field(&index, "partialFilterExpression") && !tf_field_number(&index, "hidden") &&
            tf_health_index_serves(&key, wanted))
            return true;
    }
    return false;
}

/* 1: all there, or nothing to be indexed; 0: missing ones are added to `text`; -1 with *err */
static int look_at_collection(const tf_op *op, const char *collection, const tf_index *indexes, char *text, size_t size, tf_error *err)
{
    _cleanup_bson_ bson_t reply = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *command = BCON_NEW("listIndexes", BCON_UTF8(collection));
    bson_t list;
    int all = 1;
    tf_error one = {0};
    if (!tf_op_command(op, command, &reply, &one)) {
        if (one.server_code == TF_CODE_NAMESPACE_NOT_FOUND)
            return 1;
        *err = one;
        return -1;
    }
    if (!tf_field_view(&reply, "cursor.firstBatch", &list)) /* at most 64 indexes: one batch */
        return 1;
    for (const tf_index *index = indexes; index->collection; index++) {
        if (strcmp(index->collection, collection) != 0)
            continue;
        _cleanup_(bson_destroyp) bson_t *wanted = bson_new_from_json((const uint8_t *)index->keys, -1, NULL);
        if (!wanted || is_among(&list, wanted))
            continue;
        size_t used = strlen(text);
        if (used + 1 < size)
            snprintf(text + used, size - used, "%s%s%s%s", all && used ? "; " : "", all ? collection : "", all ? ": " : ", ", index->keys);
        all = 0;
    }
    return all;
}

static bool is_first(const tf_index *indexes, const tf_index *index)
{
    for (const tf_index *before = indexes; before < index; before++)
        if (strcmp(before->collection, index->collection) == 0)
            return false;
    return true;
}

static void look_at_indexes(mongoc_client_t *client, const char *db, const tf_index *indexes, tf_health *out)
{
    tf_op op = {.client = client, .db = db, .what = "list the indexes"};
    char missing[380] = "";
    tf_error err = {0};
    if (!indexes) {
        unseen(out, TF_HEALTH_INDEXES, "the migration names none");
        return;
    }
    for (const tf_index *index = indexes; index->collection; index++) {
        if (!is_first(indexes, index) || look_at_collection(&op, index->collection, indexes, missing, sizeof missing, &err) >= 0)
            continue;
        if (is_lost(&err))
            tf_health_lost(&err, out);
        else
            unseen(out, TF_HEALTH_INDEXES, err.message);
        return;
    }
    if (*missing)
        bad(out, TF_HEALTH_INDEXES, "missing indexes on %s", missing);
    else
        good(out, TF_HEALTH_INDEXES);
}

void tf_health_read(mongoc_client_t *client, const char *db, const tf_index *indexes, const tf_health_limits *limits, tf_health *out)
{
    *out = (tf_health){0};
    if (look_at_connection(client, limits, out) && look_at_members(client, limits, out))
        look_at_indexes(client, db, indexes, out);
}
