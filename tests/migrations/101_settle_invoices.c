/*
 * A repair that has nothing in common with the tool's first one: another collection, string _ids, Decimal128 amounts with
 * two digits, an account and a status that are nested, a touched field that is a document.
 */
#include <tokenfix/migration.h>

static const char repair[] =
    "{"
    "  \"collection\": \"invoices\","
    "  \"noun\": \"invoice\","
    "  \"filter\": {\"payment.state\": \"open\", \"payment.settled\": true},"
    "  \"update\": [{\"$set\": {\"payment.state\": \"paid\", \"payment.paid_at\": \"$$RUN_STARTED\"}}, {\"$unset\": \"reminder\"}],"
    "  \"touched\": [\"payment\", \"reminder\"],"
    "  \"created\": [\"issued\"],"
    "  \"ledger\": {\"owner\": [\"customer.id\"], \"amount\": \"payment.total\", \"scale\": 2, \"unit\": \"EUR\","
    "              \"status\": \"payment.state\"},"
    "  \"invariants\": [{\"name\": \"is_paid\", \"holds\": {\"$eq\": [\"$payment.state\", \"paid\"]}}]"
    "}";

static const char *const requires[] = {"invoices", NULL};

static bool up(tf_context *context, tf_error *err)
{
    return tf_repair_apply(context, tf_context_repair(context), err);
}

static bool down(tf_context *context, tf_error *err)
{
    return tf_repair_restore(context, err);
}

const tf_migration tf_migration_101_settle_invoices = {
    .id = "101_settle_invoices",
    .summary = "Marks settled invoices as paid",
    .version = "1.0.0",
    .requires = requires,
    .repair = repair,
    .up = up,
    .down = down,
};
