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

/* ---- what an audit looks for ---- */

/* A type by its number: Extended JSON takes its name for something else. */
#define STRING "{\"$numberInt\": \"2\"}"

/* Expressions, where they are asked of every token: they share the reading of its fields. Most amounts are int32, and end at the
 * first question. NaN is less than every number. */
static const char invalid_amount[] =
    "{\"$expr\": {\"$cond\": [{\"$and\": [{\"$eq\": [{\"$type\": \"$total_amount\"}, \"int\"]}, {\"$gt\": [\"$total_amount\", 0]}]}, false,"
    "  {\"$switch\": {\"branches\": ["
    "    {\"case\": {\"$not\": [{\"$isNumber\": \"$total_amount\"}]}, \"then\": true},"
    "    {\"case\": {\"$lt\": [\"$total_amount\", 0]}, \"then\": true},"
    "    {\"case\": {\"$eq\": [\"$total_amount\", 0]}, \"then\": {\"$not\": [{\"$in\": [\"$status\", [\"pending\", \"failed\"]]}]}},"
    "    {\"case\": {\"$gte\": [\"$total_amount\", {\"$numberDouble\": \"9223372036854775808\"}]}, \"then\": true}],"
    "    \"default\": {\"$ne\": [\"$total_amount\", {\"$trunc\": \"$total_amount\"}]}}}]}}";

/* What is no number is not compared. */
static const char amount_mismatch[] =
    "{\"$expr\": {\"$and\": [{\"$ne\": [\"$total_amount\", {\"$sum\": \"$proofs.amount\"}]}, {\"$isNumber\": \"$total_amount\"},"
    " {\"$ne\": [\"$total_amount\", {\"$numberDouble\": \"NaN\"}]}]}}";

/* Only a text that is not empty is greater than an empty one. */
static const char missing_source[] = "{\"metadata.source\": {\"$not\": {\"$gt\": \"\"}}}";

static const char status_inconsistent[] =
    "{\"$expr\": {\"$not\": [{\"$and\": ["
    "  {\"$in\": [\"$transaction_type\", [\"received\", \"sent\", \"minted\", \"melted\", \"change\"]]},"
    "  {\"$cond\": [{\"$eq\": [\"$status\", \"spent\"]}, {\"$eq\": [{\"$type\": \"$spent_at\"}, \"date\"]},"
    "    {\"$and\": [{\"$in\": [\"$status\", [\"unspent\", \"pending\", \"failed\"]]},"
    "      {\"$eq\": [{\"$ifNull\": [\"$spent_at\", null]}, null]}]}]}]}]}}";

/* The distinct wallets first: an index on them is jumped through, and most audits end there. Of a wallet only the _id is read. */
#define WALLETS                                                                                                                   \
    "{\"$unionWith\": {\"coll\": \"cashu_wallets\", \"pipeline\": [{\"$project\": {\"_id\": 1, \"known\": {\"$literal\": true}}}]}}"
#define LOST "{\"$match\": {\"tokens\": {\"$ne\": null}, \"$or\": [{\"_id\": null}, {\"known\": null}]}}"
static const char lost_wallets[] =
    "[{\"$group\": {\"_id\": \"$wallet_id\"}}, {\"$set\": {\"tokens\": {\"$literal\": 1}}}, " WALLETS ","
    " {\"$group\": {\"_id\": \"$_id\", \"tokens\": {\"$max\": \"$tokens\"}, \"known\": {\"$max\": \"$known\"}}}, " LOST "]";
static const char orphaned_tokens[] =
    "[{\"$group\": {\"_id\": \"$wallet_id\", \"tokens\": {\"$sum\": 1}, \"example\": {\"$min\": \"$_id\"}}}, " WALLETS ","
    " {\"$group\": {\"_id\": \"$_id\", \"tokens\": {\"$max\": \"$tokens\"}, \"known\": {\"$max\": \"$known\"},"
    "   \"example\": {\"$min\": \"$example\"}}}, " LOST ","
    " {\"$project\": {\"count\": \"$tokens\", \"example\": 1}}]";

/* The secrets of a token that count; the tokens that failed count nowhere. */
#define COUNTED "{\"$match\": {\"status\": {\"$in\": [\"unspent\", \"pending\", \"spent\"]}}}"
#define SECRETS "{\"$cond\": [{\"$isArray\": \"$proofs.secret\"}, \"$proofs.secret\", [\"$proofs.secret\"]]}"
/* Some of its characters, where secrets differ: a Cashu secret is 64 hexadecimal digits, or begins ["P2PK",{"nonce":" and goes on with
 * such. What is no text has none. */
#define PART(length) "{\"$cond\": [{\"$eq\": [{\"$type\": \"$$this\"}, \"string\"]}, {\"$substrCP\": [\"$$this\", 24, " length "]}, null]}"
#define PARTS(length) COUNTED ", {\"$project\": {\"_id\": 0, \"s\": {\"$map\": {\"input\": " SECRETS ", \"in\": " PART(length) "}}}}, {\"$unwind\": \"$s\"}"

/* To count all secrets one by one costs the server many times what it costs to know how many different ones there are. So they are
 * dealt out by three characters: where a part holds as many different ones (by twelve characters) as it holds at all, none is there
 * twice. Mostly that is all of them; the others are looked at closely. Three characters in a server's log give no secret away. */
static const char shared_parts[] =
    "[" PARTS("12") ", {\"$group\": {\"_id\": \"$s\"}}, {\"$group\": {\"_id\": {\"$substrCP\": [\"$_id\", 0, 3]}, \"different\": {\"$sum\": 1}}},"
    " {\"$unionWith\": {\"coll\": \"cashu_tokens\", \"pipeline\": [" PARTS("3") ", {\"$group\": {\"_id\": \"$s\", \"all\": {\"$sum\": 1}}}]}},"
    " {\"$group\": {\"_id\": \"$_id\", \"different\": {\"$sum\": \"$different\"}, \"all\": {\"$sum\": \"$all\"}}},"
    " {\"$match\": {\"_id\": {\"$type\": " STRING "}, \"$expr\": {\"$ne\": [\"$different\", \"$all\"]}}}]";

/* Each occurrence of a secret counts 1 in a token that can still be spent, and 2^32 in one that was: one sum tells both. */
#define SPENT_ONE "{\"$numberLong\": \"4294967296\"}"
#define WEIGHT "\"_id\": 0, \"w\": {\"$cond\": [{\"$eq\": [\"$status\", \"spent\"]}, " SPENT_ONE ", 1]}"
static const char secrets[] =
    "[" COUNTED ", {\"$project\": {" WEIGHT ", \"s\": {\"$filter\": {\"input\": " SECRETS ", \"cond\": {\"$or\": [\"$$EVERY\","
    "   {\"$in\": [" PART("3") ", \"$$CANDIDATES\"]}]}}}}},"
    " {\"$unwind\": \"$s\"}, {\"$group\": {\"_id\": \"$s\", \"n\": {\"$sum\": \"$w\"}}}]";
/* One of the tokens must be among those asked for; the others may be anybody's, and old. */
static const char secrets_narrowed[] =
    "[" COUNTED ", {\"$project\": {" WEIGHT ", \"s\": \"$proofs.secret\", \"mine\": \"$$NARROWED\"}}, {\"$unwind\": \"$s\"},"
    " {\"$group\": {\"_id\": \"$s\", \"n\": {\"$sum\": \"$w\"}, \"mine\": {\"$max\": \"$mine\"}}}, {\"$match\": {\"mine\": true}}]";
static const char duplicate_secret[] =
    "{\"_id\": {\"$type\": " STRING ", \"$ne\": \"\"}, \"n\": {\"$gte\": 2}, \"$nor\": ["
    "{\"n\": {\"$mod\": [" SPENT_ONE ", 0]}}, {\"n\": {\"$mod\": [" SPENT_ONE ", 1]}}]}";
static const char secret_reuse[] = "{\"_id\": {\"$type\": " STRING ", \"$ne\": \"\"}, \"n\": {\"$gt\": " SPENT_ONE "}}";
/* The first and the last token of each: there can be a million. */
static const char secret_tokens[] =
    "[{\"$lookup\": {\"from\": \"cashu_tokens\", \"localField\": \"_id\", \"foreignField\": \"proofs.secret\", \"as\": \"t\", \"let\": {\"s\": \"$_id\"},"
    "   \"pipeline\": [" COUNTED ", {\"$project\": {\"npub\": 1, \"n\": {\"$size\": {\"$filter\": {\"input\": " SECRETS ", \"cond\": {\"$eq\": [\"$$this\", \"$$s\"]}}}}}},"
    "   {\"$group\": {\"_id\": null, \"proofs\": {\"$sum\": \"$n\"}, \"first\": {\"$min\": \"$_id\"}, \"last\": {\"$max\": \"$_id\"}, \"npub\": {\"$min\": \"$npub\"}}}]}},"
    " {\"$set\": {\"t\": {\"$arrayElemAt\": [\"$t\", 0]}}},"
    " {\"$project\": {\"npub\": \"$t.npub\", \"proofs\": \"$t.proofs\","
    "   \"tokens\": {\"$cond\": [{\"$eq\": [\"$t.first\", \"$t.last\"]}, [\"$t.first\"], [\"$t.first\", \"$t.last\"]]}}}]";

/* Whose they are; the index on the secrets finds their tokens. */
static const char owners_of_secrets[] =
    "[{\"$lookup\": {\"from\": \"cashu_tokens\", \"localField\": \"_id\", \"foreignField\": \"proofs.secret\", \"as\": \"t\", \"pipeline\": ["
    "   {\"$match\": {\"status\": {\"$in\": [\"unspent\", \"pending\"]}, \"$expr\": \"$$NARROWED\"}}, {\"$group\": {\"_id\": \"$npub\"}}]}},"
    " {\"$unwind\": \"$t\"}, {\"$project\": {\"_id\": 0, \"owner\": \"$t._id\"}}]";

/* Every status by itself, and what the user has in hand. */
#define SUM_OF(status) "{\"$sum\": {\"$cond\": [{\"$eq\": [\"$_id.s\", \"" status "\"]}, \"$a\", 0]}}"
#define BALANCES                                                                                                                  \
    "{\"$group\": {\"_id\": \"$_id.o\", \"unspent\": " SUM_OF("unspent") ", \"pending\": " SUM_OF("pending") ","                     \
    " \"spent\": " SUM_OF("spent") ", \"asked\": {\"$max\": \"$asked\"}}},"                                                          \
    " {\"$match\": {\"asked\": {\"$ne\": false}}},"                                                                              \
    " {\"$project\": {\"owner\": \"$_id\", \"unspent\": 1, \"pending\": 1, \"spent\": 1, \"total\": {\"$add\": [\"$unspent\", \"$pending\"]}}},"  \
    " {\"$set\": {\"amount\": {\"$min\": [\"$unspent\", \"$pending\", \"$spent\", \"$total\"]}}}"
static const char negative_amounts[] = "{\"total_amount\": {\"$lt\": 0}}";
static const char their_owners[] = "[{\"$group\": {\"_id\": \"$npub\"}}]";
static const char balances[] =
    "[{\"$group\": {\"_id\": {\"o\": \"$npub\", \"s\": \"$status\"}, \"a\": {\"$sum\": \"$$AMOUNT\"}}}, " BALANCES "]";
/* A balance is that of all tokens, though only one of them be new. */
static const char balances_narrowed[] =
    "[{\"$match\": {\"$expr\": \"$$WHOSE\"}}, {\"$group\": {\"_id\": {\"o\": \"$npub\", \"s\": \"$status\"},"
    "  \"a\": {\"$sum\": \"$$AMOUNT\"}, \"asked\": {\"$max\": \"$$SINCE\"}}}, " BALANCES "]";
static const char negative_balance[] = "{\"amount\": {\"$lt\": 0}}";

static const tf_check checks[] = {
    {
        .name = "melted_unspent",
        .group = "balance",
        .severity = "medium",
        .high_above = 10,
        .pass = 1, /* the sums of proofs take as long as all others */
        .where = "{\"transaction_type\": \"melted\", \"status\": \"unspent\"}",
        .advice = "Run 'tokenfix preview', then 'tokenfix up --confirm'.",
        .user_key = "problematicMeltedTokens",
    },
    {
        .name = "duplicate_secret",
        .group = "integrity",
        .severity = "high",
        .source = secrets,
        .probe = shared_parts,
        .narrowed = secrets_narrowed,
        .where = duplicate_secret,
        .key = "secret_hash",
        .secret = true,
        .detail = secret_tokens,
        .noun = "secret",
        .advice = "The same ecash stands there twice and can be spent once: ask the mint which proofs are unspent, and mark the other tokens.",
        .owners = owners_of_secrets,
        .user_key = "duplicateSecrets",
    },
    {
        .name = "secret_reuse",
        .group = "integrity",
        .severity = "low",
        .source = secrets,
        .probe = shared_parts,
        .narrowed = secrets_narrowed,
        .where = secret_reuse,
        .key = "secret_hash",
        .secret = true,
        .detail = secret_tokens,
        .noun = "secret",
        .advice = "Ecash that was spent is recorded more than once: look whether the tokens that share it were counted twice.",
    },
    {
        .name = "orphaned_token",
        .group = "integrity",
        .severity = "medium",
        .needs = "cashu_wallets",
        .source = orphaned_tokens,
        .probe = lost_wallets,
        .among = "wallet_id",
        .key = "wallet_id",
        .advice = "No wallet claims these tokens: restore the wallets' documents, or set wallet_id to the owner's wallet.",
    },
    {
        .name = "amount_mismatch",
        .group = "integrity",
        .severity = "high",
        .where = amount_mismatch,
        .shows = "{\"proofs_sum\": {\"$sum\": \"$proofs.amount\"}}",
        .advice = "The proofs are the money: find out which of the two numbers is wrong before correcting total_amount.",
    },
    {
        .name = "invalid_amount",
        .group = "integrity",
        .severity = "high",
        .pass = 1,
        .where = invalid_amount,
        .advice = "Such an amount counts nowhere or falsifies the balance: set total_amount to the sum of the proofs.",
    },
    {
        .name = "missing_source",
        .group = "integrity",
        .severity = "low",
        .pass = 1,
        .where = missing_source,
        .shows = "{\"transaction_type\": 1}",
        .advice = "Set metadata.source (lightning, p2p, mint, change) from the transaction's type and its history.",
    },
    {
        .name = "status_inconsistent",
        .group = "integrity",
        .severity = "medium",
        .pass = 1,
        .where = status_inconsistent,
        .shows = "{\"transaction_type\": 1, \"spent_at\": 1}",
        .advice = "Find out whether the mint has seen these proofs spent, then set status and spent_at together.",
    },
    {
        .name = "negative_balance",
        .group = "balance",
        .severity = "high",
        .pass = 1,
        .source = balances,
        .narrowed = balances_narrowed,
        .premise = negative_amounts,
        .probe = their_owners,
        .among = "npub",
        .where = negative_balance,
        .key = "npub",
        .noun = "user",
        .advice = "Nobody can have less than nothing: look for negative amounts among the user's tokens (invalid_amount).",
        .user_key = "hasNegativeBalance",
        .user_flag = true,
    },
    {
        .name = "balance_discrepancy",
        .group = "balance",
        .severity = "medium",
        .high_above_amount = 1000,
        .pass = 1,
        .premise = invalid_amount, /* such amounts count 0, and would not in a plain sum */
        .ledger = true,
        .key = "npub",
        .noun = "user",
        .advice = "Something changed these balances without leaving a trace: run 'tokenfix verify', and look for writes past the application.",
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
