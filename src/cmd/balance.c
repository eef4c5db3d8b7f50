#include "check/holding.h"
#include "cmd/commands.h"
#include "cmd/session.h"
#include "cmd/sheet.h"
#include "cmd/terms.h"
#include "report/format.h"
#include "report/output.h"

typedef struct {
    const char *mint;
} balance_args;

static const tf_option options[] = {
    TF_OPTION_STRING(balance_args, mint, "mint", "Only what this mint issued.", .metavar = "URL"),
    TF_OPTION_END,
};

/* What was asked for, and of whom. */
typedef struct {
    const tf_migration *migration;
    tf_repair *repair;
    const char *owner, *mint;
    tf_terms terms;
} question;

static void question_done(question *asked)
{
    tf_repair_free(asked->repair);
}

static bool ask(question *out, const balance_args *wanted, int argc, char *const *argv, tf_error *err)
{
    *out = (question){.owner = argv[0], .mint = wanted->mint};
    out->migration = tf_migration_find(argc > 1 ? argv[1] : NULL, err);
    out->repair = out->migration ? tf_repair_parse(out->migration->repair, err) : NULL;
    if (!out->repair)
        return false;
    if (!out->repair->ledger.present) {
        tf_error_set(err, TF_ERR_USAGE, "%s has no ledger: it does not say what a balance is", out->migration->id);
        return tf_error_hint(err, "Name a migration that has one behind the user; 'tokenfix plan' lists them all.");
    }
    if (out->mint && out->repair->ledger.owners < 2) {
        tf_error_set(err, TF_ERR_USAGE, "--mint means nothing to %s: its ledger knows accounts by %s alone", out->migration->id,
                     out->repair->ledger.owner[0]);
        return tf_error_hint(err, "Leave --mint out.");
    }
    tf_terms_of_repair(out->repair, &out->terms);
    return true;
}

/* ---- data ---- */

static void append_rows(const question *asked, const tf_holding *holding, bson_t *out)
{
    char name[512];
    bson_t counts;
    for (size_t i = 0; i < holding->rows_count; i++) {
        snprintf(name, sizeof name, "%s_balance", holding->rows[i].status);
        if (holding->rows[i].counted)
            BSON_APPEND_INT64(out, name, holding->rows[i].amount);
    }
    snprintf(name, sizeof name, "%s_counts", asked->terms.noun);
    BSON_APPEND_DOCUMENT_BEGIN(out, name, &counts);
    for (size_t i = 0; i < holding->rows_count; i++)
        BSON_APPEND_INT64(&counts, holding->rows[i].status, holding->rows[i].documents);
    bson_append_document_end(out, &counts);
    snprintf(name, sizeof name, "total_%ss", asked->terms.noun);
    BSON_APPEND_INT64(out, name, holding->documents);
}

static void append(const question *asked, const tf_holding *holding, bson_t *out)
{
    tf_append_text(out, asked->repair->ledger.owner[0], asked->owner);
    if (asked->repair->ledger.owners > 1)
        tf_append_text(out, asked->repair->ledger.owner[1], asked->mint);
    BSON_APPEND_INT64(out, "total_balance", holding->balance);
    append_rows(asked, holding, out);
    BSON_APPEND_INT64(out, "odd_amounts", holding->odd);
    BSON_APPEND_INT64(out, "other_statuses", holding->others);
    tf_terms_append(&asked->terms, out);
}

/* ---- text ---- */

static void print_sheet(const tf_session *session, const question *asked, const tf_holding *holding)
{
    const tf_terms *terms = &asked->terms;
    _cleanup_(tf_table_freep) tf_table *sheet = tf_sheet_new();
    tf_sheet_add(sheet, terms->owner, "%s", asked->owner);
    if (asked->mint)
        tf_sheet_add(sheet, asked->repair->ledger.owner[1], "%s", asked->mint);
    tf_sheet_add(sheet, "balance", "%s", TF_AMOUNT(terms, holding->balance));
    if (holding->documents)
        tf_sheet_add(sheet, "of", "%s in %s.%s", TF_DOCUMENTS(terms, holding->documents), session->client.db, asked->repair->collection);
    else
        tf_sheet_add(sheet, "of", "no %s in %s.%s", terms->noun, session->client.db, asked->repair->collection);
    if (holding->odd)
        tf_sheet_add(sheet, "odd amounts", "%s whose amount cannot be counted: 0 in every sum", TF_DOCUMENTS(terms, holding->odd));
    if (holding->others)
        tf_sheet_add(sheet, "other", "%s of a status that is none of those below", TF_DOCUMENTS(terms, holding->others));
    tf_sheet_print(sheet);
}

static void print_rows(const question *asked, const tf_holding *holding)
{
    const tf_terms *terms = &asked->terms;
    char noun[80], amount[48];
    snprintf(noun, sizeof noun, "%ss", terms->noun);
    snprintf(amount, sizeof amount, terms->unit[0] ? "amount, %s" : "amount%s", terms->unit);
    const tf_column columns[] = {{"status", "status", TF_COLUMN_TEXT, TF_COLUMN_SHRINK},
                                 {"documents", noun, TF_COLUMN_COUNT, 0},
                                 {"amount", amount, TF_COLUMN_COUNT, 0},
                                 {NULL, NULL, TF_COLUMN_TEXT, 0}};
    if (holding->rows_count == 0)
        return;
    putchar('\n');
    _cleanup_(tf_table_freep) tf_table *table = tf_table_new(columns, 0);
    for (size_t i = 0; i < holding->rows_count; i++) {
        const tf_holding_row *row = &holding->rows[i];
        tf_table_add(table, TF_CELL_TEXT(row->status), TF_CELL_NUMBER(row->documents),
                     TF_CELL_TEXT(row->counted ? TF_NUMBER(terms, row->amount) : "not counted"));
    }
    tf_table_print(table, stdout);
}

static int run(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    tf_error err = {0};
    _cleanup_(question_done) question asked = {0};
    _cleanup_(tf_session_done) tf_session session = {0};
    _cleanup_(tf_holding_done) tf_holding holding = {0};
    if (!ask(&asked, args, argc, argv, &err) || !tf_session_open(&session, globals, asked.migration, &err) ||
        !tf_holding_read(&session.engine.store, asked.repair, asked.owner, asked.mint, &holding, &err))
        return tf_output_error(&err, NULL, NULL, globals->json);
    if (globals->json) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        append(&asked, &holding, &data);
        tf_output_success(&data);
        return 0;
    }
    print_sheet(&session, &asked, &holding);
    print_rows(&asked, &holding);
    return 0;
}

const tf_command tf_cmd_balance = {
    .name = "balance",
    .synopsis = "NPUB [MIGRATION]",
    .summary = "Show what a user has: the sums by status, exact",
    .description = "NPUB is looked up as it is given; of a user without tokens everything is 0. The balance is what is unspent and "
                   "what is pending; failed tokens count nowhere. A token whose amount cannot be counted (a fraction, no number) "
                   "counts 0 and is told. The right to read is enough; an index on the user makes it fast.",
    .min_words = 1,
    .max_words = 2,
    .options = options,
    .args_size = sizeof(balance_args),
    .exits = "0128",
    .run = run,
};
