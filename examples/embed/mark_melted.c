/*
 * A repair in a program of your own: tokens that were melted are marked as spent. The file compiles as C and as C++.
 *
 *   cc $(pkg-config --cflags libtokenfix) mark_melted.c $(pkg-config --libs libtokenfix) -o mark_melted
 *   ./mark_melted 'mongodb://127.0.0.1/wallet?replicaSet=rs0' preview|up|verify|down
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <tokenfix/tokenfix.h>

static const char repair[] =
    "{\"collection\": \"cashu_tokens\", \"noun\": \"token\","
    " \"filter\": {\"transaction_type\": \"melted\", \"status\": \"unspent\"},"
    " \"update\": [{\"$set\": {\"status\": \"spent\", \"spent_at\": \"$$RUN_STARTED\"}}],"
    " \"touched\": [\"status\", \"spent_at\"],"
    " \"created\": [\"createdAt\"], \"updated\": [\"updatedAt\"],"
    " \"ledger\": {\"owner\": [\"npub\"], \"amount\": \"total_amount\", \"scale\": 0, \"unit\": \"sat\", \"status\": "
    "\"status\"},"
    " \"invariants\": [{\"name\": \"status_is_spent\", \"holds\": {\"$eq\": [\"$status\", \"spent\"]}}],"
    " \"masked\": [\"proofs\"]}";

static bool up(tf_context *context, tf_error *err)
{
    return tf_repair_apply(context, tf_context_repair(context), err);
}

static const tf_migration mark_melted = {
    .id = "001_mark_melted",
    .summary = "Marks melted tokens as spent",
    .version = "1",
    .repair = repair,
    .is_default = true,
    .up = up,
    .down = tf_repair_restore,
};

/* What there is to run. */
const tf_migration *const tf_migrations[] = {&mark_melted, NULL};
const size_t tf_migrations_count = 1;

static bool run(tokenfix *db, const char *what, tokenfix_result *result, tf_error *err)
{
    if (strcmp(what, "preview") == 0)
        return tokenfix_preview(db, NULL, result, err);
    if (strcmp(what, "up") == 0)
        return tokenfix_up(db, NULL, NULL, result, err);
    if (strcmp(what, "verify") == 0)
        return tokenfix_verify(db, NULL, result, err);
    if (strcmp(what, "down") == 0)
        return tokenfix_down(db, NULL, NULL, result, err);
    return tf_error_set(err, TF_ERR_USAGE, "there is no '%s'", what);
}

static int report(const tf_error *err)
{
    fprintf(stderr, "mark_melted: %s\n", err->message);
    if (err->detail[0])
        fprintf(stderr, "  %s\n", err->detail);
    if (err->hint[0])
        fprintf(stderr, "  hint: %s\n", err->hint);
    return tf_error_exit(err->code);
}

int main(int argc, char **argv)
{
    tf_error err = TF_ERROR_INIT;
    tokenfix_result result;
    if (argc != 3) {
        fprintf(stderr, "usage: mark_melted URI preview|up|verify|down (libtokenfix %s)\n", tokenfix_version());
        return 2;
    }
    tokenfix *db = tokenfix_open(argv[1], NULL, &err);
    bool good = db && run(db, argv[2], &result, &err);
    if (good)
        printf("%s: %" PRId64 " tokens, %" PRId64 " sat%s\n", argv[2], result.documents, result.amount,
               result.proven ? ", proven" : "");
    tokenfix_close(db);
    return good ? 0 : report(&err);
}
