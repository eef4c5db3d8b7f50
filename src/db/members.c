#include "db/members.h"

#include "base/clock.h"
#include "db/client.h"
#include "db/operation.h"

#include <tokenfix/cleanup.h>

enum { PATIENCE_MS = 2500, POLL_MS = 50, SECOND_LOOK_MS = 1500, NOTABLE_MS = 2000 };

static bool find(const bson_t *doc, const char *path, bson_iter_t *at)
{
    bson_iter_t iter;
    return bson_iter_init(&iter, doc) && bson_iter_find_descendant(&iter, path, at);
}

/* A position in the oplog; 0 where there is none. */
static uint64_t position(const bson_t *doc, const char *path)
{
    bson_iter_t at;
    uint32_t seconds = 0, increment = 0;
    if (!find(doc, path, &at) || !BSON_ITER_HOLDS_TIMESTAMP(&at))
        return 0;
    bson_iter_timestamp(&at, &seconds, &increment);
    return (uint64_t)seconds << 32 | increment;
}

/* ---- the majority ---- */

/* The difference of the two times that `hello` tells says little: after a quiet spell one write makes it large for a
 * moment. So the newest write of now is waited for. */
static bool read_majority(mongoc_client_t *client, tf_members *out, tf_error *err)
{
    tf_op op = {.client = client, .db = "admin", .what = "ask how far the majority is"};
    _cleanup_(bson_destroyp) bson_t *hello = BCON_NEW("hello", BCON_INT32(1));
    int64_t begun = tf_clock_ms();
    uint64_t target = 0;
    for (;;) {
        _cleanup_bson_ bson_t reply = BSON_INITIALIZER;
        if (!tf_op_command(&op, hello, &reply, err))
            return false;
        uint64_t majority = position(&reply, "lastWrite.majorityOpTime.ts");
        if (!target)
            target = position(&reply, "lastWrite.opTime.ts");
        if (!target || !majority)
            return true;
        out->majority_known = true;
        out->majority_reached = majority >= target;
        out->majority_lag_ms = tf_clock_ms() - begun;
        if (out->majority_reached || tf_clock_ms() - begun > PATIENCE_MS)
            return true;
        tf_clock_sleep_ms(POLL_MS);
    }
}

/* ---- the members ---- */

static int64_t date(const bson_t *doc, const char *key)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, doc, key) && BSON_ITER_HOLDS_DATE_TIME(&iter) ? bson_iter_date_time(&iter) : -1;
}

static int64_t number(const bson_t *doc, const char *key)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, doc, key) ? bson_iter_as_int64(&iter) : -1;
}

static void name_of(const bson_t *member, char *into, size_t size)
{
    bson_iter_t iter;
    if (bson_iter_init_find(&iter, member, "name") && BSON_ITER_HOLDS_UTF8(&iter))
        snprintf(into, size, "%s", bson_iter_utf8(&iter, NULL));
}

enum { MEMBER_PRIMARY = 1, MEMBER_SECONDARY = 2, MEMBER_ARBITER = 7 };

static void add_member(const bson_t *member, int64_t newest, tf_members *out)
{
    int64_t state = number(member, "state"), applied = date(member, "optimeDate");
    bool fit = state == MEMBER_PRIMARY || state == MEMBER_SECONDARY || state == MEMBER_ARBITER;
    if (!fit || number(member, "health") == 0) {
        out->unhealthy++;
        name_of(member, out->unhealthy_name, sizeof out->unhealthy_name);
    } else if (state == MEMBER_SECONDARY) {
        out->secondaries++;
        if (applied >= 0 && newest - applied > out->max_lag_ms) {
            out->max_lag_ms = newest - applied;
            name_of(member, out->slowest, sizeof out->slowest);
        }
    }
}

static bool next_member(bson_iter_t *iter, bson_t *member)
{
    const uint8_t *data = NULL;
    uint32_t length = 0;
    if (!bson_iter_next(iter) || !BSON_ITER_HOLDS_DOCUMENT(iter))
        return false;
    bson_iter_document(iter, &length, &data);
    return bson_init_static(member, data, length);
}

static void add_members(const bson_t *status, tf_members *out)
{
    bson_iter_t list, at;
    bson_t member;
    int64_t newest = -1;
    out->secondaries = out->unhealthy = 0;
    out->max_lag_ms = 0;
    if (!find(status, "members", &list))
        return;
    for (bson_iter_recurse(&list, &at); next_member(&at, &member);)
        newest = date(&member, "optimeDate") > newest ? date(&member, "optimeDate") : newest;
    for (bson_iter_recurse(&list, &at); next_member(&at, &member);)
        add_member(&member, newest, out);
}

/* One look can mislead in the same way: what is behind is looked at again. */
static bool read_status(mongoc_client_t *client, tf_members *out, tf_error *err)
{
    tf_op op = {.client = client, .db = "admin", .what = "ask how far the members are"};
    _cleanup_(bson_destroyp) bson_t *command = BCON_NEW("replSetGetStatus", BCON_INT32(1));
    for (int look = 0; look < 2; look++) {
        _cleanup_bson_ bson_t reply = BSON_INITIALIZER;
        tf_error one = {0};
        if (!tf_op_command(&op, command, &reply, &one)) {
            if (!(one.labels & TF_LABEL_NETWORK))
                return true;
            if (err && err->code == TF_ERR_OK)
                *err = one;
            return false;
        }
        out->visible = true;
        add_members(&reply, out);
        if (out->max_lag_ms <= NOTABLE_MS)
            break;
        if (look == 0)
            tf_clock_sleep_ms(SECOND_LOOK_MS);
    }
    return true;
}

/* ---- the clocks ---- */

typedef struct span {
    int64_t low, high;
} span;

static void add_clock(mongoc_client_t *client, const mongoc_server_description_t *server, span *all, tf_members *out)
{
    _cleanup_(bson_destroyp) bson_t *hello = BCON_NEW("hello", BCON_INT32(1));
    bson_error_t error;
    bson_t reply;
    int64_t before = tf_clock_wall_ms();
    if (mongoc_client_command_simple_with_server_id(client, "admin", hello, NULL, mongoc_server_description_id(server),
                                                    &reply, &error)) {
        int64_t after = tf_clock_wall_ms(), time = date(&reply, "localTime");
        int64_t offset = time - (before + (after - before) / 2), doubt = (after - before + 1) / 2;
        const char *type = mongoc_server_description_type(server);
        if (out->clocks == 0 || strcmp(type, "RSPrimary") == 0)
            out->clock_offset_ms = offset;
        all->low = out->clocks == 0 || offset < all->low ? offset : all->low;
        all->high = out->clocks == 0 || offset > all->high ? offset : all->high;
        out->clock_doubt_ms = doubt > out->clock_doubt_ms ? doubt : out->clock_doubt_ms;
        out->clocks++;
    }
    bson_destroy(&reply);
}

/* An arbiter knows no users, the others are not up. */
static bool answers(const char *type)
{
    static const char *const types[] = {"RSPrimary", "RSSecondary", "Standalone", "Mongos", "LoadBalancer"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i], type) == 0)
            return true;
    return false;
}

static void read_clocks(mongoc_client_t *client, tf_members *out)
{
    _cleanup_(mongoc_client_destroyp) mongoc_client_t *own = tf_client_impatient(client, "tokenfix", NOTABLE_MS);
    _cleanup_(bson_destroyp) bson_t *hello = BCON_NEW("hello", BCON_INT32(1));
    _cleanup_(mongoc_read_prefs_destroyp) mongoc_read_prefs_t *any =
        mongoc_read_prefs_new(MONGOC_READ_PRIMARY_PREFERRED);
    size_t count = 0;
    span all = {0};
    /* makes it look for the members */
    if (!own || !mongoc_client_command_simple(own, "admin", hello, any, NULL, NULL))
        return;
    mongoc_server_description_t **servers = mongoc_client_get_server_descriptions(own, &count);
    for (size_t i = 0; i < count; i++)
        if (answers(mongoc_server_description_type(servers[i])))
            add_clock(own, servers[i], &all, out);
    mongoc_server_descriptions_destroy_all(servers, count);
    out->clock_spread_ms = all.high - all.low;
}

bool tf_members_read(mongoc_client_t *client, tf_members *out, tf_error *err)
{
    tf_members members = {0};
    if (!read_majority(client, &members, err) || !read_status(client, &members, err))
        return false;
    read_clocks(client, &members);
    *out = members;
    return true;
}
