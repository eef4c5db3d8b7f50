#include "cmd/sandbox.h"

#include "report/format.h"
#include "report/output.h"
#include "report/table.h"
#include "sandbox/seed.h"

typedef struct seed_args {
    const char *name;
    int64_t tokens, users, seed;
    double defects;
    const char *indexes;
    bool with_findings;
} seed_args;

static const char *const index_choices[] = {"8", "12", "none", NULL};

static const tf_option options[] = {
    TF_OPTION_STRING(seed_args, name, "name", "The sandbox to fill.", .fallback = "default", .metavar = "NAME"),
    TF_OPTION_INT(seed_args, tokens, "tokens", 0, (INT64_C(1) << 38) - 1, "Tokens to write.", .fallback = "10000",
                  .metavar = "N"),
    TF_OPTION_INT(seed_args, users, "users", 1, (INT64_C(1) << 38) - 1, "Users who own them.", .fallback = "500",
                  .metavar = "U"),
    TF_OPTION_DOUBLE(seed_args, defects, "defects", 0, 100, "Percent of the tokens that are melted and unspent.",
                     .fallback = "5", .metavar = "P"),
    TF_OPTION_INT(seed_args, seed, "seed", 0, INT64_MAX, "The same seed and sizes give the same documents.",
                  .fallback = "1", .metavar = "S"),
    TF_OPTION_CHOICE(seed_args, indexes, "indexes", index_choices,
                     "The indexes of the application's model, all of production, or none.", .fallback = "12"),
    TF_OPTION_FLAG(seed_args, with_findings, "with-findings",
                   "Besides, plant every finding of an audit in numbers that follow from the seed, and print them."),
    TF_OPTION_END,
};

static bool fill(const tf_globals *globals, const seed_args *args, tf_seed_result *result, tf_error *err)
{
    _cleanup_free_ tf_sandbox *sandbox = bson_malloc0(sizeof *sandbox);
    if (!sandbox)
        return tf_error_set(err, TF_ERR_MEMORY, "out of memory");
    char uri[TF_SANDBOX_URI];
    if (!tf_cmd_sandbox_open(args->name, globals->db, sandbox, uri, sizeof uri, err))
        return false;
    _cleanup_(mongoc_client_destroyp) mongoc_client_t *client = mongoc_client_new(uri);
    if (!client)
        return tf_error_set(err, TF_ERR_INTERNAL, "the sandbox's connection string does not parse");
    mongoc_log_set_handler(NULL, NULL);
    mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2);
    const tf_seed_options seed = {
        .tokens = args->tokens,
        .users = args->users,
        .defects = args->defects,
        .seed = (uint64_t)args->seed,
        .findings = args->with_findings,
        .indexes = strcmp(args->indexes, "none") == 0 ? 0
                   : strcmp(args->indexes, "8") == 0  ? 8
                                                      : 12,
    };
    return tf_seed_run(client, globals->db ? globals->db : sandbox->database, &seed, result, err);
}

/* The one finding that data alone cannot have. */
static const char unplanted[] = "balance_discrepancy";

static void append_findings(const tf_seed_result *result, bson_t *out)
{
    bson_t findings, others;
    BSON_APPEND_DOCUMENT_BEGIN(out, "findings", &findings);
    for (size_t i = 0; i < TF_SEED_CHECKS; i++)
        BSON_APPEND_INT64(&findings, tf_seed_check_names[i], result->findings[i]);
    bson_append_document_end(out, &findings);
    BSON_APPEND_ARRAY_BEGIN(out, "notPlanted", &others);
    BSON_APPEND_UTF8(&others, "0", unplanted);
    bson_append_array_end(out, &others);
}

static void print_findings(const tf_seed_result *result)
{
    static const tf_column columns[] = {
        {"check", "check", TF_COLUMN_TEXT, 0}, {"count", "findings", TF_COLUMN_COUNT, 0}, {NULL, NULL, TF_COLUMN_TEXT, 0}};
    _cleanup_(tf_table_freep) tf_table *table = tf_table_new(columns, 0);
    for (size_t i = 0; i < TF_SEED_CHECKS; i++)
        tf_table_add(table, TF_CELL_TEXT(tf_seed_check_names[i]), TF_CELL_NUMBER(result->findings[i]));
    putchar('\n');
    tf_table_print(table, stdout);
    tf_output_note("%s cannot be planted: it is a change after a run. Repair, then change an amount by hand.", unplanted);
}

static int run(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    (void)argc, (void)argv;
    tf_error err = {0};
    tf_seed_result result = {0};
    const bool with_findings = ((const seed_args *)args)->with_findings;
    if (!fill(globals, args, &result, &err))
        return tf_output_error(&err, NULL, NULL, globals->json);
    int64_t insert_ms = (int64_t)(result.insert_seconds * 1000), index_ms = (int64_t)(result.index_seconds * 1000);
    if (globals->json) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        BSON_APPEND_INT64(&data, "tokens", result.tokens);
        BSON_APPEND_INT64(&data, "wallets", result.wallets);
        BSON_APPEND_INT64(&data, "defects", result.defects);
        BSON_APPEND_INT64(&data, "defectAmount", result.defect_amount);
        BSON_APPEND_INT64(&data, "bytes", result.bytes);
        BSON_APPEND_INT64(&data, "insertMs", insert_ms);
        BSON_APPEND_INT64(&data, "indexMs", index_ms);
        if (with_findings)
            append_findings(&result, &data);
        tf_output_success(&data);
        return 0;
    }
    printf("%s tokens (%s) of %s wallets\n%s are melted and unspent: %s sat\n", TF_COUNT(result.tokens),
           TF_BYTES(result.bytes), TF_COUNT(result.wallets), TF_COUNT(result.defects), TF_COUNT(result.defect_amount));
    printf("written in %s, indexed in %s\n", TF_DURATION(insert_ms), TF_DURATION(index_ms));
    if (with_findings)
        print_findings(&result);
    return 0;
}

const tf_command tf_cmd_sandbox_seed = {
    .name = "seed",
    .synopsis = "",
    .summary = "Fill a running sandbox with sample wallets and tokens",
    .flags = TF_CMD_NO_DATABASE,
    .options = options,
    .args_size = sizeof(seed_args),
    .exits = "0128",
    .run = run,
};
