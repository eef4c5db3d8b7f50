#include "engine/outcome.h"

#include <tokenfix/cleanup.h>

enum { LISTED = 100 };

void tf_outcome_done(tf_outcome *outcome)
{
    if (outcome->conflict_ids)
        bson_destroy(outcome->conflict_ids);
    if (outcome->verified)
        tf_proof_done(&outcome->proof);
    *outcome = (tf_outcome){0};
}

void tf_outcome_fill(const tf_context *context, tf_outcome *out)
{
    const tf_run *run = &context->run;
    snprintf(out->run, sizeof out->run, "%s", run->id);
    snprintf(out->migration, sizeof out->migration, "%s", run->migration);
    snprintf(out->state, sizeof out->state, "%s", tf_state_name(run->stored));
    snprintf(out->strategy, sizeof out->strategy, "%s", run->strategy);
    snprintf(out->restores, sizeof out->restores, "%s", run->restores);
    out->timings = context->timings;
    out->documents = context->totals.applied;
    out->amount = context->totals.amount;
    out->batches = context->totals.batches;
    out->refused = context->totals.refused;
    out->gone = context->totals.gone;
    out->overtaken = context->totals.overtaken;
    out->conflicts = context->totals.conflicts;
    out->already = context->totals.already;
    out->deleted = context->totals.deleted;
    out->recreated = context->totals.recreated;
    memcpy(out->held_ms, context->held_ms, sizeof out->held_ms);
}

void tf_outcome_read_head(const tf_engine *engine, tf_outcome *out)
{
    tf_error ignored = {0};
    if (out->run[0])
        tf_event_newest(&engine->store, &out->head, &ignored);
}

bool tf_outcome_read_conflicts(const tf_context *context, tf_outcome *out, tf_error *err)
{
    tf_op op = tf_store_op(&context->store, NULL, "read the conflicts");
    _cleanup_(bson_destroyp) bson_t *pipeline =
        BCON_NEW("0", "{", "$match", "{", "run", BCON_UTF8(context->run.id), "counts.conflicts", "{", "$gt", BCON_INT32(0), "}", "}", "}",
                 "1", "{", "$unwind", BCON_UTF8("$conflicts"), "}", "2", "{", "$limit", BCON_INT32(LISTED), "}", "3", "{", "$replaceWith",
                 BCON_UTF8("$conflicts"), "}");
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor =
        tf_op_aggregate(&op, tf_store_name(&context->store, TF_BATCHES).text, pipeline, NULL);
    _cleanup_(bson_destroyp) bson_t *list = bson_new();
    const bson_t *doc = NULL;
    uint32_t n = 0;
    int got;
    while ((got = tf_cursor_next(cursor, &op, &doc, err)) == 1)
        tf_array_append_document(list, &n, doc);
    if (got < 0)
        return false;
    if (out->conflict_ids)
        bson_destroy(out->conflict_ids);
    out->conflict_ids = TAKE_PTR(list);
    return true;
}
