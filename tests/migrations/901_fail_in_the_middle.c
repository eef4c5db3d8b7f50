/*
 * A repair whose invariant fails on documents with {planted: true}: for the tests of what a failed invariant leads to.
 */
#include <tokenfix/migration.h>

static const char repair[] =
    "{"
    "  \"collection\": \"cashu_tokens\","
    "  \"noun\": \"token\","
    "  \"filter\": {\"transaction_type\": \"melted\", \"status\": \"unspent\"},"
    "  \"update\": [{\"$set\": {\"status\": \"spent\", \"spent_at\": \"$$RUN_STARTED\"}}],"
    "  \"touched\": [\"status\", \"spent_at\"],"
    "  \"created\": [\"createdAt\", \"created_at\"],"
    "  \"updated\": [\"updatedAt\", \"updated_at\"],"
    "  \"ledger\": {\"owner\": [\"npub\"], \"amount\": \"total_amount\", \"scale\": 0, \"unit\": \"sat\", \"status\": \"status\"},"
    "  \"invariants\": [{\"name\": \"is_not_planted\", \"holds\": {\"$ne\": [\"$planted\", true]}}]"
    "}";

static const char *const requires[] = {"cashu_tokens", NULL};

static bool up(tf_context *context, tf_error *err)
{
    return tf_repair_apply(context, tf_context_repair(context), err);
}

static bool down(tf_context *context, tf_error *err)
{
    return tf_repair_restore(context, err);
}

const tf_migration tf_migration_901_fail_in_the_middle = {
    .id = "901_fail_in_the_middle",
    .summary = "Fails on planted tokens",
    .version = "1.0.0",
    .requires = requires,
    .repair = repair,
    .up = up,
    .down = down,
};
