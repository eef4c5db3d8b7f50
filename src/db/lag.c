#include "db/lag.h"

#include "base/clock.h"
#include "base/field.h"
#include "db/operation.h"

#include <tokenfix/cleanup.h>

int64_t tf_lag_measure(tf_lag_meter *meter, int64_t now, uint64_t newest, uint64_t reached, int64_t bound)
{
    if (meter->target && reached >= meter->target) {
        meter->last = now - meter->since;
        meter->target = 0;
    }
    if (reached >= newest) {
        meter->last = 0;
        return 0;
    }
    if (!meter->target) {
        meter->target = newest;
        meter->since = now;
    }
    int64_t age = now - meter->since, lag = age > meter->last ? age : meter->last;
    bound = bound < 0 ? 0 : bound;
    if (bound < meter->last)
        meter->last = bound;
    return lag < bound ? lag : bound;
}

/* A position in the oplog; 0 where there is none. */
static uint64_t position(const bson_t *doc, const char *path)
{
    bson_iter_t iter, at;
    uint32_t seconds = 0, increment = 0;
    if (!bson_iter_init(&iter, doc) || !bson_iter_find_descendant(&iter, path, &at) || !BSON_ITER_HOLDS_TIMESTAMP(&at))
        return 0;
    bson_iter_timestamp(&at, &seconds, &increment);
    return (uint64_t)seconds << 32 | increment;
}

static bool read_majority(mongoc_client_t *client, tf_lag *lag, tf_error *err)
{
    tf_op op = {.client = client, .db = "admin", .what = "ask how far the majority is"};
    _cleanup_(bson_destroyp) bson_t *hello = BCON_NEW("hello", BCON_INT32(1));
    _cleanup_bson_ bson_t reply = BSON_INITIALIZER;
    if (!tf_op_command(&op, hello, &reply, err))
        return false;
    uint64_t newest = position(&reply, "lastWrite.opTime.ts"), reached = position(&reply, "lastWrite.majorityOpTime.ts");
    int64_t bound = tf_field_number(&reply, "localTime") - tf_field_number(&reply, "lastWrite.majorityWriteDate");
    lag->majority_ms = newest && reached ? tf_lag_measure(&lag->majority, tf_clock_ms(), newest, reached, bound) : 0;
    return true;
}

/* Members that are behind because they shall be. Asked for once: who may not see it pauses for them, too. */
static void read_delayed(mongoc_client_t *client, tf_lag *lag)
{
    tf_op op = {.client = client, .db = "admin", .what = "read the members' delays"};
    _cleanup_(bson_destroyp) bson_t *command = BCON_NEW("replSetGetConfig", BCON_INT32(1));
    _cleanup_bson_ bson_t reply = BSON_INITIALIZER;
    tf_error ignored = {0};
    bson_t members;
    bson_iter_t iter;
    char host[256];
    lag->configured = true;
    lag->delayed = bson_new();
    if (!tf_op_command(&op, command, &reply, &ignored) || !tf_field_view(&reply, "config.members", &members))
        return;
    for (bool more = bson_iter_init(&iter, &members); more && bson_iter_next(&iter);) {
        bson_t member;
        if (!tf_field_view(&members, bson_iter_key(&iter), &member) || !tf_field_text(&member, "host", host, sizeof host))
            continue;
        if (tf_field_number(&member, "secondaryDelaySecs") > 0 || tf_field_number(&member, "slaveDelay") > 0)
            BSON_APPEND_BOOL(lag->delayed, host, true);
    }
}

enum { PRIMARY = 1, SECONDARY = 2 };

typedef struct slowest {
    uint64_t newest, reached; /* of the primary; of the secondary that has come least far */
    int64_t applied;          /* when what it has was written */
} slowest;

static void look_at_member(const bson_t *member, tf_lag *lag, slowest *found)
{
    bson_iter_t iter;
    char name[256];
    uint64_t at = position(member, "optime.ts");
    int64_t state = tf_field_number(member, "state");
    tf_field_text(member, "name", name, sizeof name);
    if (state == PRIMARY)
        found->newest = at;
    if (state != SECONDARY || tf_field_number(member, "health") == 0 || !at ||
        bson_iter_init_find(&iter, lag->delayed, name)) /* a name has dots: it is no path */
        return;
    if (found->reached && at >= found->reached)
        return;
    found->reached = at;
    found->applied = tf_field_number(member, "lastAppliedWallTime");
    if (!found->applied)
        found->applied = tf_field_number(member, "optimeDate");
    snprintf(lag->slowest, sizeof lag->slowest, "%s", name);
}

static bool read_members(mongoc_client_t *client, tf_lag *lag, tf_error *err)
{
    tf_op op = {.client = client, .db = "admin", .what = "ask how far the members are"};
    _cleanup_(bson_destroyp) bson_t *command = BCON_NEW("replSetGetStatus", BCON_INT32(1));
    _cleanup_bson_ bson_t reply = BSON_INITIALIZER;
    tf_error one = {0};
    bson_t members;
    bson_iter_t iter;
    slowest found = {0};
    if (!tf_op_command(&op, command, &reply, &one)) {
        lag->denied = !(one.labels & TF_LABEL_NETWORK);
        if (!lag->denied && err && err->code == TF_ERR_OK)
            *err = one;
        return lag->denied;
    }
    if (!lag->configured)
        read_delayed(client, lag);
    if (!tf_field_view(&reply, "members", &members))
        return true;
    for (bool more = bson_iter_init(&iter, &members); more && bson_iter_next(&iter);) {
        bson_t member;
        if (tf_field_view(&members, bson_iter_key(&iter), &member))
            look_at_member(&member, lag, &found);
    }
    lag->member_ms = 0;
    if (found.newest && found.reached)
        lag->member_ms = tf_lag_measure(&lag->member, tf_clock_ms(), found.newest, found.reached,
                                        tf_field_number(&reply, "date") - found.applied);
    return true;
}

bool tf_lag_read(mongoc_client_t *client, tf_lag *lag, tf_error *err)
{
    return read_majority(client, lag, err) && (lag->denied || read_members(client, lag, err));
}

void tf_lag_done(tf_lag *lag)
{
    if (lag->delayed)
        bson_destroy(lag->delayed);
    *lag = (tf_lag){0};
}
