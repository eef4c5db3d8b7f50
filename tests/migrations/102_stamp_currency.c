/* Second of a graph of three: needs 101. No ledger, no update times, no invariants. */
#include <tokenfix/migration.h>

static const char repair[] = "{\"collection\": \"invoices\", \"noun\": \"invoice\", \"filter\": {\"currency\": {\"$exists\": false}},"
                             " \"update\": [{\"$set\": {\"currency\": \"EUR\"}}], \"touched\": [\"currency\"]}";

static const char *const depends_on[] = {"101_settle_invoices", NULL};
static const char *const requires[] = {"invoices", NULL};

static bool up(tf_context *context, tf_error *err)
{
    return tf_repair_apply(context, tf_context_repair(context), err);
}

static bool down(tf_context *context, tf_error *err)
{
    return tf_repair_restore(context, err);
}

const tf_migration tf_migration_102_stamp_currency = {
    .id = "102_stamp_currency",
    .summary = "Gives every invoice a currency",
    .version = "1.0.0",
    .depends_on = depends_on,
    .requires = requires,
    .repair = repair,
    .up = up,
    .down = down,
};
