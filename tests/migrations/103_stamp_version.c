/* Third of a graph of three: needs both of the others. */
#include <tokenfix/migration.h>

static const char repair[] = "{\"collection\": \"invoices\", \"noun\": \"invoice\", \"filter\": {\"version\": {\"$exists\": false}},"
                             " \"update\": [{\"$set\": {\"version\": 1}}], \"touched\": [\"version\"]}";

static const char *const depends_on[] = {"102_stamp_currency", "101_settle_invoices", NULL};
static const char *const requires[] = {"invoices", NULL};

static bool up(tf_context *context, tf_error *err)
{
    return tf_repair_apply(context, tf_context_repair(context), err);
}

static bool down(tf_context *context, tf_error *err)
{
    return tf_repair_restore(context, err);
}

const tf_migration tf_migration_103_stamp_version = {
    .id = "103_stamp_version",
    .summary = "Gives every invoice a version",
    .version = "1.0.0",
    .depends_on = depends_on,
    .requires = requires,
    .repair = repair,
    .up = up,
    .down = down,
};
