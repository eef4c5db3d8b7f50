#include "store/control.h"

#include "base/field.h"

#include <tokenfix/cleanup.h>

static const char *const names[] = {[TF_REQUEST_NONE] = "",
                                    [TF_REQUEST_PAUSE] = "pause",
                                    [TF_REQUEST_CONTINUE] = "continue",
                                    [TF_REQUEST_CANCEL] = "cancel"};

const char *tf_request_name(tf_request request)
{
    return names[request];
}

bool tf_control_ask(const tf_store *store, const tf_run *run, tf_request request, tf_error *err)
{
    tf_owner self;
    char by[160];
    int64_t matched = 0;
    tf_owner_self(&self);
    snprintf(by, sizeof by, "%s@%.90s", self.user, self.host);
    _cleanup_(bson_destroyp) bson_t *query = BCON_NEW("_id", BCON_UTF8(run->id), "lease.fence", BCON_INT64(run->fence), "active",
                                                      BCON_BOOL(true));
    _cleanup_(bson_destroyp) bson_t *update =
        BCON_NEW("$set", "{", "control.request", BCON_UTF8(names[request]), "control.fence", BCON_INT64(run->fence), "control.by",
                 BCON_UTF8(by), "}", "$currentDate", "{", "control.at", BCON_BOOL(true), "}");
    if (!tf_store_update(store, NULL, TF_RUNS, query, update, &matched, "ask the run's owner", err))
        return false;
    if (matched == 1)
        return true;
    tf_error_set(err, TF_ERR_LEASE_LOST, "run %s has ended, or has another owner by now", run->id);
    return tf_error_hint(err, "'tokenfix status' shows how it goes on.");
}

static tf_request request_of(const char *name)
{
    for (int i = TF_REQUEST_PAUSE; i <= TF_REQUEST_CANCEL; i++)
        if (strcmp(names[i], name) == 0)
            return (tf_request)i;
    return TF_REQUEST_NONE;
}

int tf_control_read(const tf_store *store, const char *run, tf_control *out, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "look for a request");
    op.local = true;
    _cleanup_(bson_destroyp) bson_t *filter = BCON_NEW("_id", BCON_UTF8(run));
    _cleanup_(bson_destroyp) bson_t *opts =
        BCON_NEW("limit", BCON_INT64(1), "projection", "{", "state", BCON_INT32(1), "active", BCON_INT32(1), "lease.fence",
                 BCON_INT32(1), "control", BCON_INT32(1), "}");
    _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
    char text[32];
    int got = tf_cursor_one(tf_op_find(&op, tf_store_name(store, TF_RUNS).text, filter, opts), &op, &doc, err);
    if (got != 1)
        return got;
    *out = (tf_control){.active = tf_field_number(&doc, "active") != 0, .fence = tf_field_number(&doc, "lease.fence")};
    tf_field_text(&doc, "state", text, sizeof text);
    out->stored = tf_state_of(text);
    tf_field_text(&doc, "control.request", text, sizeof text);
    if (tf_field_number(&doc, "control.fence") == out->fence)
        out->request = request_of(text);
    tf_field_text(&doc, "control.by", out->by, sizeof out->by);
    return 1;
}
