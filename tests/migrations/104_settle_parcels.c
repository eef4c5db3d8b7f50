/*
 * Checks that have nothing in common with the tool's first ones: of parcels and their depots, with a source of their own, a
 * probe, a premise, and another collection. Nothing is repaired here but a state.
 */
#include <tokenfix/migration.h>

static const char repair[] =
    "{"
    "  \"collection\": \"parcels\", \"noun\": \"parcel\","
    "  \"filter\": {\"state\": \"handed over\", \"signed\": {\"$exists\": false}},"
    "  \"update\": [{\"$set\": {\"state\": \"lost\"}}], \"touched\": [\"state\"],"
    "  \"created\": [\"sent\"],"
    "  \"ledger\": {\"owner\": [\"sender.name\", \"carrier\"], \"amount\": \"value\", \"scale\": 2, \"unit\": \"EUR\", \"status\": \"state\"}"
    "}";

static const char *const requires[] = {"parcels", NULL};
static const char *const reads[] = {"depots", NULL};

static const tf_check checks[] = {
    {
        .name = "unsigned_parcel",
        .group = "delivery",
        .severity = "low",
        .where = "{\"state\": \"handed over\", \"signed\": {\"$exists\": false}}",
        .high_above_amount = 1000,
        .advice = "Ask the carrier who took it.",
    },
    {
        .name = "heavy_parcel",
        .group = "weight",
        .severity = "medium",
        .where = "{\"$expr\": {\"$gt\": [\"$kg\", 30]}}",
        .shows = "{\"kg\": 1}",
        .advice = "Two people carry it.",
    },
    {
        .name = "shared_label",
        .group = "delivery",
        .severity = "high",
        .source = "[{\"$group\": {\"_id\": \"$label\", \"n\": {\"$sum\": 1}, \"owner\": {\"$min\": \"$sender.name\"}}}]",
        .where = "{\"n\": {\"$gt\": 1}}",
        .key = "label_hash",
        .secret = true,
        .noun = "label",
        .advice = "Print new ones.",
    },
    {
        .name = "unknown_depot",
        .group = "delivery",
        .severity = "medium",
        .needs = "depots",
        .source = "[{\"$group\": {\"_id\": \"$depot\", \"count\": {\"$sum\": 1}}}]",
        .probe = "[{\"$group\": {\"_id\": \"$depot\"}}, {\"$lookup\": {\"from\": \"depots\", \"localField\": \"_id\", \"foreignField\": \"_id\","
                 " \"as\": \"d\"}}, {\"$match\": {\"d\": {\"$size\": 0}}}]",
        .among = "depot",
        .key = "depot",
        .advice = "Look for it on the map.",
    },
    {
        .name = "crowded_depot",
        .group = "weight",
        .severity = "low",
        .collection = "depots",
        .where = "{\"parcels\": {\"$gt\": 100}}",
        .noun = "depot",
        .advice = "Send the next ones elsewhere.",
    },
    {.name = NULL},
};

static bool up(tf_context *context, tf_error *err)
{
    return tf_repair_apply(context, tf_context_repair(context), err);
}

static bool down(tf_context *context, tf_error *err)
{
    return tf_repair_restore(context, err);
}

const tf_migration tf_migration_104_settle_parcels = {
    .id = "104_settle_parcels",
    .summary = "Gives up parcels that nobody signed for",
    .version = "1.0.0",
    .requires = requires,
    .reads = reads,
    .repair = repair,
    .checks = checks,
    .up = up,
    .down = down,
};
