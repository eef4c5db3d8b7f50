/*
 * A melted token (ecash that paid a Lightning invoice) must be spent; historical ones stayed unspent, and their owner's
 * balance is inflated by their amount. The repair sets the status, the time of spending and the ODM's update time
 * (whichever the document has) and touches nothing else.
 */
#include <tokenfix/migration.h>

static const char repair[] =
    "{"
    "  \"collection\": \"cashu_tokens\","
    "  \"noun\": \"token\","
    "  \"filter\": {\"transaction_type\": \"melted\", \"status\": \"unspent\"},"
    "  \"population\": {\"transaction_type\": \"melted\"},"
    "  \"update\": [{\"$set\": {"
    "    \"status\": \"spent\","
    "    \"spent_at\": \"$$RUN_STARTED\","
    "    \"updatedAt\": {\"$cond\": [{\"$eq\": [{\"$type\": \"$updatedAt\"}, \"missing\"]}, \"$$REMOVE\", \"$$RUN_STARTED\"]},"
    "    \"updated_at\": {\"$cond\": [{\"$eq\": [{\"$type\": \"$updated_at\"}, \"missing\"]}, \"$$REMOVE\", \"$$RUN_STARTED\"]}"
    "  }}],"
    "  \"touched\": [\"status\", \"spent_at\", \"updatedAt\", \"updated_at\"],"
    "  \"created\": [\"createdAt\", \"created_at\"],"
    "  \"updated\": [\"updatedAt\", \"updated_at\"],"
    "  \"ledger\": {"
    "    \"owner\": [\"npub\", \"mint_url\"],"
    "    \"amount\": \"total_amount\", \"scale\": 0, \"unit\": \"sat\","
    "    \"status\": \"status\","
    "    \"statuses\": [\"unspent\", \"pending\", \"spent\", \"failed\"],"
    "    \"balance\": [\"unspent\", \"pending\"],"
    "    \"uncounted\": [\"failed\"]"
    "  },"
    "  \"invariants\": ["
    "    {\"name\": \"status_is_spent\", \"holds\": {\"$eq\": [\"$status\", \"spent\"]}},"
    "    {\"name\": \"spent_at_is_the_run\", \"holds\": {\"$eq\": [\"$spent_at\", \"$$RUN_STARTED\"]}},"
    "    {\"name\": \"type_is_still_melted\", \"holds\": {\"$eq\": [\"$transaction_type\", \"melted\"]}}"
    "  ],"
    "  \"masked\": [\"proofs\", \"metadata.encoded_token\", \"metadata.lightning_invoice\"]"
    "}";

static const char *const requires[] = {"cashu_tokens", NULL};

static const char *const reads[] = {"cashu_wallets", NULL};

static const tf_check checks[] = {
    {
        .name = "melted_unspent",
        .group = "balance",
        .severity = "high",
        .aggregation = "[{\"$match\": {\"transaction_type\": \"melted\", \"status\": \"unspent\"}}, {\"$count\": \"count\"}]",
        .advice = "Run 'tokenfix preview', then 'tokenfix up --confirm'.",
    },
    {.name = NULL},
};

/* Those that the application's model declares. */
static const tf_index indexes[] = {
    {"cashu_tokens", "{\"npub\": 1, \"status\": 1}"},
    {"cashu_tokens", "{\"npub\": 1, \"transaction_type\": 1}"},
    {"cashu_tokens", "{\"npub\": 1, \"created_at\": -1}"},
    {"cashu_tokens", "{\"wallet_id\": 1, \"status\": 1}"},
    {"cashu_tokens", "{\"transaction_id\": 1}"},
    {"cashu_tokens", "{\"mint_url\": 1, \"status\": 1}"},
    {"cashu_tokens", "{\"proofs.secret\": 1}"},
    {NULL, NULL},
};

static bool up(tf_context *context, tf_error *err)
{
    return tf_repair_apply(context, tf_context_repair(context), err);
}

static bool down(tf_context *context, tf_error *err)
{
    return tf_repair_restore(context, err);
}

const tf_migration tf_migration_004_fix_melted_token_status = {
    .id = "004_fix_melted_token_status",
    .summary = "Marks melted tokens as spent",
    .version = "1.0.0",
    .requires = requires,
    .reads = reads,
    .repair = repair,
    .checks = checks,
    .indexes = indexes,
    .is_default = true,
    .up = up,
    .down = down,
};
