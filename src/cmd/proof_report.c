#include "cmd/proof_report.h"

#include "base/text.h"
#include "cmd/sheet.h"
#include "report/format.h"
#include "report/terminal.h"

enum { SHOWN_MAX = 20 };

void tf_proof_report_append(const tf_proof *proof, const tf_terms *terms, bson_t *out)
{
    bson_t ledger;
    BSON_APPEND_UTF8(out, "run", proof->run);
    tf_append_text(out, "asked", proof->asked);
    BSON_APPEND_UTF8(out, "direction", proof->down ? "down" : "up");
    BSON_APPEND_UTF8(out, "state", proof->state);
    BSON_APPEND_BOOL(out, "rolledBack", proof->rolled_back);
    BSON_APPEND_BOOL(out, "finished", !proof->unfinished);
    BSON_APPEND_BOOL(out, "ok", proof->ok);
    BSON_APPEND_INT64(out, "documents", proof->documents);
    BSON_APPEND_INT64(out, "equal", proof->equal);
    BSON_APPEND_INT64(out, "changedLater", proof->changed_later);
    BSON_APPEND_INT64(out, "missing", proof->missing);
    BSON_APPEND_INT64(out, "remaining", proof->remaining);
    BSON_APPEND_INT64(out, "newDefects", proof->new_defects);
    BSON_APPEND_INT64(out, "refused", proof->refused);
    BSON_APPEND_INT64(out, "gone", proof->gone);
    BSON_APPEND_INT64(out, "overtaken", proof->overtaken);
    BSON_APPEND_INT64(out, "conflicts", proof->conflicts);
    BSON_APPEND_INT64(out, "batches", proof->batches);
    tf_terms_append_amount(terms, out, "totalAmount", proof->amount);
    tf_terms_append(terms, out);
    BSON_APPEND_DOCUMENT_BEGIN(out, "ledger", &ledger);
    BSON_APPEND_INT64(&ledger, "users", proof->ledger_rows);
    BSON_APPEND_INT64(&ledger, "explained", proof->explained);
    BSON_APPEND_INT64(&ledger, "unexplained", proof->unexplained);
    tf_append_array(&ledger, "rows", proof->unexplained_rows);
    bson_append_document_end(out, &ledger);
    tf_append_array(out, "changedIds", proof->changed_ids);
    tf_append_array(out, "missingIds", proof->missing_ids);
    tf_append_array(out, "remainingIds", proof->remaining_ids);
    tf_append_array(out, "refusedIds", proof->refused_ids);
    tf_append_array(out, "findings", proof->findings);
    if (proof->archived_upto) {
        bson_t archive;
        BSON_APPEND_DOCUMENT_BEGIN(out, "archived", &archive);
        BSON_APPEND_INT64(&archive, "upto", proof->archived_upto);
        BSON_APPEND_UTF8(&archive, "file", proof->archive);
        bson_append_document_end(out, &archive);
    } else
        BSON_APPEND_NULL(out, "archived");
}

bool tf_proof_report_has_findings(const tf_proof *proof)
{
    return !proof->ok || proof->changed_later > 0 || proof->missing > 0;
}

/* ---- text ---- */

static void print_verdict(const tf_proof *proof)
{
    tf_terminal terminal = tf_terminal_of(stdout);
    const char *word = !proof->ok                            ? "FINDINGS"
                       : tf_proof_report_has_findings(proof) ? "proven, but changed since"
                       : proof->unfinished                   ? "proven so far"
                                                             : "proven";
    const char *color = !proof->ok ? "1;31" : tf_proof_report_has_findings(proof) ? "1;33" : "1;32";
    if (proof->rolled_back)
        printf("Run %s was rolled back; this is the proof of its restoration.\n", proof->asked);
    printf("Run %s (%s, %s): ", proof->run, proof->down ? "down" : "up", proof->state);
    if (terminal.color)
        printf("\033[%sm%s\033[0m\n\n", color, word);
    else
        printf("%s\n\n", word);
}

typedef struct {
    const char *label;
    int64_t count;
    bool always; /* shown also when it is 0 */
    const char *meaning;
} line;

static void print_counts(const tf_proof *proof, const tf_terms *terms)
{
    static const tf_column columns[] = {{"label", "", TF_COLUMN_TEXT, 0},
                                        {"count", "", TF_COLUMN_COUNT, 0},
                                        {"meaning", "", TF_COLUMN_TEXT, TF_COLUMN_WRAP},
                                        {NULL, NULL, TF_COLUMN_TEXT, 0}};
    const line lines[] = {
        {"in the backup", proof->documents, true, proof->down ? "taken back, in batches:" : "repaired, in batches:"},
        {"equal", proof->equal, true,
         proof->down ? "byte for byte as before the repair" : "byte for byte as the repair predicts"},
        {"changed later", proof->changed_later, true, "by somebody else, after the run"},
        {"missing", proof->missing, true, "deleted since, or lost"},
        {"remaining", proof->remaining, !proof->down,
         proof->unfinished ? "still to be repaired: the run is not finished"
                           : "should have been repaired and were not"},
        {"new defects", proof->new_defects, false, "came up after the run; 'up --again' repairs them"},
        {"refused", proof->refused, false, "of a form that the server cannot write safely; never touched"},
        {"gone before us", proof->gone, false, "no longer matched when their batch came"},
        {"overtaken", proof->overtaken, false, "changed by somebody else while being written; left alone"},
        {"conflicts", proof->conflicts, false, "changed since the repair; left alone"},
        {"accounts", proof->ledger_rows, terms->amounts && !proof->unfinished, "balances compared before and after"},
        {"explained", proof->explained, false, "of their differences come from later writes"},
        {"unexplained", proof->unexplained, terms->amounts && !proof->unfinished,
         "of their differences come from nothing we know"},
    };
    _cleanup_(tf_table_freep) tf_table *table = tf_table_new(columns, TF_TABLE_NO_HEADER);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char batches[96];
        const char *meaning = lines[i].meaning;
        if (i == 0) {
            snprintf(batches, sizeof batches, "%s %s", meaning, TF_COUNT(proof->batches));
            meaning = batches;
        }
        if (lines[i].always || lines[i].count)
            tf_table_add(table, TF_CELL_TEXT(lines[i].label), TF_CELL_NUMBER(lines[i].count), TF_CELL_TEXT(meaning));
    }
    if (terms->amounts)
        tf_table_add(table, TF_CELL_TEXT("amount"), TF_CELL_TEXT(TF_NUMBER(terms, proof->amount)),
                     TF_CELL_TEXT(terms->unit));
    tf_table_print(table, stdout);
}

static void print_archive(const tf_proof *proof)
{
    char said[512];
    if (!proof->archived_upto)
        return;
    snprintf(said, sizeof said,
             "The events of this run were archived (all up to event %s, newest file '%s'): its closing event is not here to be "
             "compared. 'tokenfix history --verify --file FILE' examines the file.",
             TF_COUNT(proof->archived_upto), TF_WORD(proof->archive));
    printf("\n");
    tf_text_wrap(stdout, said, 0, 0, tf_terminal_of(stdout).width);
}

static void cell_of(const bson_iter_t *row, const char *key, char *out, size_t size)
{
    bson_iter_t field;
    out[0] = '\0';
    if (BSON_ITER_HOLDS_DOCUMENT(row) && bson_iter_recurse(row, &field) && bson_iter_find(&field, key))
        tf_value_text(bson_iter_value(&field), out, size);
}

/* What an element of a list says: an id, the fields of {_id, reason}, or of {reason} where a whole batch is meant. */
static void id_text(const bson_iter_t *element, char *id, char *reason, size_t size)
{
    bson_iter_t copy = *element;
    cell_of(element, "_id", id, size);
    cell_of(element, "reason", reason, size);
    if (!reason[0])
        tf_value_text(bson_iter_value(&copy), id, size);
}

void tf_ids_print(const char *title, const bson_t *ids, int64_t total)
{
    static const tf_column columns[] = {{"id", "", TF_COLUMN_TEXT, TF_COLUMN_SHRINK},
                                        {"reason", "", TF_COLUMN_TEXT, TF_COLUMN_WRAP},
                                        {NULL, NULL, TF_COLUMN_TEXT, 0}};
    bson_iter_t iter;
    int64_t shown = 0;
    if (!ids || bson_empty(ids))
        return;
    printf("\n%s\n", title);
    _cleanup_(tf_table_freep) tf_table *table = tf_table_new(columns, TF_TABLE_NO_HEADER);
    for (bool more = bson_iter_init(&iter, ids); more && bson_iter_next(&iter) && shown < SHOWN_MAX; shown++) {
        char id[256], reason[256];
        id_text(&iter, id, reason, sizeof id);
        tf_table_add(table, TF_CELL_TEXT(id), TF_CELL_TEXT(reason));
    }
    tf_table_print(table, stdout);
    if (shown == SHOWN_MAX && total > shown)
        printf("and %s more; --json lists up to 100\n", TF_COUNT(total - shown));
}

static void print_findings(const tf_proof *proof)
{
    static const tf_column columns[] = {{"check", "check", TF_COLUMN_TEXT, 0},
                                        {"message", "finding", TF_COLUMN_TEXT, TF_COLUMN_WRAP},
                                        {NULL, NULL, TF_COLUMN_TEXT, 0}};
    bson_iter_t iter, inner;
    if (!proof->findings || bson_empty(proof->findings))
        return;
    printf("\nFindings\n");
    _cleanup_(tf_table_freep) tf_table *table = tf_table_new(columns, 0);
    for (bool more = bson_iter_init(&iter, proof->findings); more && bson_iter_next(&iter);) {
        const char *check = "", *message = "";
        for (bool in = bson_iter_recurse(&iter, &inner); in && bson_iter_next(&inner);) {
            if (!BSON_ITER_HOLDS_UTF8(&inner))
                continue;
            if (strcmp(bson_iter_key(&inner), "check") == 0)
                check = bson_iter_utf8(&inner, NULL);
            if (strcmp(bson_iter_key(&inner), "message") == 0)
                message = bson_iter_utf8(&inner, NULL);
        }
        tf_table_add(table, TF_CELL_TEXT(check), TF_CELL_TEXT(message));
    }
    tf_table_print(table, stdout);
}

static void sum_of(const bson_iter_t *row, const char *key, const tf_terms *terms, char *out, size_t size)
{
    bson_iter_t field;
    out[0] = '\0';
    if (BSON_ITER_HOLDS_DOCUMENT(row) && bson_iter_recurse(row, &field) && bson_iter_find(&field, key))
        snprintf(out, size, "%s", TF_NUMBER(terms, bson_iter_as_int64(&field)));
}

static void print_unexplained(const tf_proof *proof, const tf_terms *terms)
{
    static const tf_column columns[] = {{"owner", "account", TF_COLUMN_TEXT, TF_COLUMN_SHRINK},
                                        {"status", "status", TF_COLUMN_TEXT, TF_COLUMN_SHRINK},
                                        {"expected", "expected", TF_COLUMN_COUNT, 0},
                                        {"found", "found", TF_COLUMN_COUNT, 0},
                                        {NULL, NULL, TF_COLUMN_TEXT, 0}};
    bson_iter_t iter;
    int64_t shown = 0;
    if (!proof->unexplained_rows || bson_empty(proof->unexplained_rows))
        return;
    printf("\nBalances that nothing explains\n");
    _cleanup_(tf_table_freep) tf_table *table = tf_table_new(columns, 0);
    for (bool more = bson_iter_init(&iter, proof->unexplained_rows); more && bson_iter_next(&iter) && shown < SHOWN_MAX;
         shown++) {
        char owner[256], status[64], expected[64], found[64];
        cell_of(&iter, "owner", owner, sizeof owner);
        cell_of(&iter, "status", status, sizeof status);
        sum_of(&iter, "expected", terms, expected, sizeof expected);
        sum_of(&iter, "found", terms, found, sizeof found);
        tf_table_add(table, TF_CELL_TEXT(owner), TF_CELL_TEXT(status), TF_CELL_TEXT(expected), TF_CELL_TEXT(found));
    }
    tf_table_print(table, stdout);
    if (proof->unexplained > shown)
        printf("and %s more; --json lists up to 100\n", TF_COUNT(proof->unexplained - shown));
}

void tf_proof_report_print(const tf_proof *proof, const tf_terms *terms)
{
    print_verdict(proof);
    print_counts(proof, terms);
    print_archive(proof);
    print_findings(proof);
    tf_ids_print("Changed later", proof->changed_ids, proof->changed_later);
    tf_ids_print("Missing", proof->missing_ids, proof->missing);
    if (!proof->unfinished)
        tf_ids_print("Remaining", proof->remaining_ids, proof->remaining);
    tf_ids_print("Refused", proof->refused_ids, proof->refused);
    print_unexplained(proof, terms);
}
