#include "cmd/ledger_report.h"

#include <inttypes.h>

#include "base/number.h"
#include "base/text.h"
#include "check/tally.h"
#include "cmd/sheet.h"
#include "db/id.h"
#include "report/csv.h"
#include "report/format.h"
#include "report/json.h"
#include "report/output.h"

/* ---- shared ---- */

char *tf_ledger_owner_text(const tf_ledger_view *view, const bson_t *owner, size_t i)
{
    char name[256], *text = NULL;
    size_t size = 0;
    bson_iter_t iter;
    uint32_t length = 0;
    tf_tally_owner_name(view->repair->ledger.owner[i], name, sizeof name);
    if (!bson_iter_init_find(&iter, owner, name))
        return bson_strdup("");
    if (BSON_ITER_HOLDS_UTF8(&iter)) {
        const char *value = bson_iter_utf8(&iter, &length);
        return bson_strndup(value, length);
    }
    FILE *out = tf_text_stream(&text, &size);
    if (!out)
        return bson_strdup("");
    tf_json_print_value(out, &iter);
    fclose(out);
    return text;
}

const char *tf_ledger_verb(const tf_ledger_view *view)
{
    return view->run->down ? "restored" : "repaired";
}

static size_t prove_balances(const tf_ledger_view *view, const tf_statement_proof *proof, const tf_statement *whole,
                             char out[TF_LEDGER_LINES][TF_LEDGER_LINE])
{
    const tf_terms *terms = &view->terms;
    int64_t expected = tf_number_sum(whole->before, whole->change);
    char sum[TF_LEDGER_LINE / 2];
    snprintf(sum, sizeof sum, "%s before %s %s %s = %s", TF_NUMBER(terms, whole->before), whole->change > 0 ? "+" : "-",
             TF_NUMBER(terms, tf_sums_magnitude(whole->change)), tf_ledger_verb(view), TF_NUMBER(terms, expected));
    if (!view->known) {
        snprintf(out[0], TF_LEDGER_LINE,
                 "Not proven: run %s is %s; what was %s and the balances after are recorded when a run is completed. Its batches moved %s of %s.",
                 view->run->id, tf_state_name(view->run->state), tf_ledger_verb(view), TF_AMOUNT(terms, proof->amount),
                 TF_DOCUMENTS(terms, proof->documents));
        return 1;
    }
    if (whole->explained + whole->unexplained == 0) {
        snprintf(out[0], TF_LEDGER_LINE, "Proof: %s after, in every account and status.", sum);
        return 1;
    }
    snprintf(out[0], TF_LEDGER_LINE, "%s: %s; found were %s, %s%s of others.", proof->balanced ? "Proof" : "Not proven", sum,
             TF_NUMBER(terms, whole->after), whole->others >= 0 ? "+" : "", TF_NUMBER(terms, whole->others));
    snprintf(out[1], TF_LEDGER_LINE, "%s of %s accounts differ: %s by what was written since the run began, %s unexplained (%s).",
             TF_COUNT(whole->explained + whole->unexplained), TF_COUNT(whole->accounts), TF_COUNT(whole->explained),
             TF_COUNT(whole->unexplained), TF_AMOUNT(terms, whole->unexplained_amount));
    return 2;
}

size_t tf_ledger_proof_lines(const tf_ledger_view *view, const tf_statement_proof *proof, const tf_statement *whole,
                             char out[TF_LEDGER_LINES][TF_LEDGER_LINE])
{
    const tf_terms *terms = &view->terms;
    size_t n = prove_balances(view, proof, whole, out);
    if (view->known)
        snprintf(out[n++], TF_LEDGER_LINE, "%s: %s of %s in the accounts, %s of %s in %s batch%s, %s in the run's record.",
                 proof->posted ? "The same everywhere" : "Not the same", TF_AMOUNT(terms, whole->moved),
                 TF_DOCUMENTS(terms, whole->documents), TF_AMOUNT(terms, proof->amount), TF_DOCUMENTS(terms, proof->documents),
                 TF_COUNT(proof->batches), proof->batches == 1 ? "" : "es", TF_AMOUNT(terms, proof->run_amount));
    return n;
}

static const char *verdict_of(const tf_statement_proof *proof)
{
    static const char *const words[] = {[TF_STATEMENT_OPEN] = "open", [TF_STATEMENT_AGREES] = "agrees", [TF_STATEMENT_DIFFERS] = "differs"};
    return words[proof->verdict];
}

static const char *result_of(const tf_entry *entry)
{
    return !entry->differs ? "" : entry->covered ? "explained" : "unexplained";
}

/* ---- CSV ---- */

/* Digits and a point, no commas: for a program. */
static void csv_amount(const tf_ledger_view *view, int64_t amount, bool known)
{
    char text[TF_TERMS_TEXT], *to = text;
    tf_terms_number(&view->terms, amount, text);
    for (const char *c = text; *c; c++)
        if (*c != ',')
            *to++ = *c;
    *to = '\0';
    printf("%s,", known ? text : "");
}

static void csv_begin(tf_ledger_view *view, const tf_statement *whole)
{
    (void)whole;
    tf_csv_field(stdout, "line", false);
    for (size_t i = 0; i < view->names; i++)
        tf_csv_field(stdout, view->repair->ledger.owner[i], false);
    printf("\"before\",\"%s\",\"others\",\"after\",\"documents\",\"unit\",\"result\"\r\n", tf_ledger_verb(view));
}

static void csv_line(const tf_ledger_view *view, const tf_entry *e, const char *result)
{
    csv_amount(view, e->before, true);
    csv_amount(view, e->moved, view->known);
    csv_amount(view, e->others, view->known);
    csv_amount(view, e->after, view->known);
    if (view->known)
        printf("%" PRId64, e->documents);
    putchar(',');
    tf_csv_field(stdout, view->terms.unit, false);
    tf_csv_field(stdout, result, true);
}

static bool csv_entry(void *arg, const tf_entry *e, tf_error *err)
{
    tf_ledger_view *view = arg;
    (void)err;
    tf_csv_field(stdout, "account", false);
    for (size_t i = 0; i < view->names; i++) {
        char *text = tf_ledger_owner_text(view, e->owner, i);
        tf_csv_field(stdout, text, false);
        free(text);
    }
    csv_line(view, e, result_of(e));
    return true;
}

static void csv_sum(const tf_ledger_view *view, const char *word, const tf_entry *sum, const char *result)
{
    tf_csv_field(stdout, word, false);
    for (size_t i = 0; i < view->names; i++)
        tf_csv_field(stdout, "", false);
    csv_line(view, sum, result);
}

/* The line that proves the sum has what the batches moved, and the balance that this makes of the one before. */
static void csv_end(tf_ledger_view *view, const tf_statement *shown, const tf_statement_proof *proof, const tf_statement *whole)
{
    const tf_entry total = {.before = shown->before, .moved = shown->moved, .others = shown->others, .after = shown->after, .documents = shown->documents};
    const tf_entry proven = {.before = whole->before, .moved = proof->amount, .others = whole->others, .after = tf_number_sum(tf_number_sum(whole->before, whole->change), whole->others), .documents = proof->documents};
    csv_sum(view, "total", &total, "");
    csv_sum(view, "proof", &proven, verdict_of(proof));
}

static void csv_fail(tf_ledger_view *view, const tf_error *err)
{
    (void)view;
    tf_output_error(err, NULL, NULL, false);
}

const tf_ledger_format tf_ledger_csv = {.begin = csv_begin, .entry = csv_entry, .end = csv_end, .fail = csv_fail};

/* ---- JSON ---- */

static bool json_first; /* no entry was written yet */

/* What a run has done is recorded when it is completed. */
static void append_known(const tf_ledger_view *view, const char *name, int64_t value, bson_t *out)
{
    if (view->known)
        BSON_APPEND_INT64(out, name, value);
    else
        BSON_APPEND_NULL(out, name);
}

static void append_amounts(const tf_ledger_view *view, const tf_entry *e, bson_t *out)
{
    BSON_APPEND_INT64(out, "before", e->before);
    append_known(view, tf_ledger_verb(view), e->moved, out);
    append_known(view, "others", e->others, out);
    append_known(view, "after", e->after, out);
    append_known(view, "documents", e->documents, out);
}

static void json_begin(tf_ledger_view *view, const tf_statement *whole)
{
    _cleanup_bson_ bson_t head = BSON_INITIALIZER;
    (void)whole;
    BSON_APPEND_UTF8(&head, "run", view->run->id);
    BSON_APPEND_UTF8(&head, "migration_name", view->run->migration);
    BSON_APPEND_UTF8(&head, "direction", view->run->down ? "down" : "up");
    BSON_APPEND_UTF8(&head, "state", tf_state_name(view->run->state));
    BSON_APPEND_UTF8(&head, "database", view->db);
    tf_append_time(&head, "startTime", view->run->started_at);
    tf_append_time(&head, "endTime", view->run->ended_at);
    tf_terms_append(&view->terms, &head);
    tf_output_open();
    fputs("\"data\": {\n    ", stdout);
    tf_json_print_members(stdout, &head, 2);
    fputs(",\n    \"accounts\": [", stdout);
    json_first = true;
}

static void append_status(const tf_ledger_view *view, const tf_sums *sums, size_t i, bson_t *array, uint32_t *n)
{
    _cleanup_bson_ bson_t one = BSON_INITIALIZER;
    if (sums->status[i].value_type == BSON_TYPE_EOD)
        BSON_APPEND_NULL(&one, "status");
    else
        BSON_APPEND_VALUE(&one, "status", &sums->status[i]);
    BSON_APPEND_INT64(&one, "before", sums->before[i]);
    append_known(view, "expected", sums->expected[i], &one);
    append_known(view, "after", sums->found[i], &one);
    tf_array_append_document(array, n, &one);
}

/* Where a status stands in the ledger's list; behind all of them where it does not. */
static size_t rank(const tf_ledger_view *view, const bson_value_t *status)
{
    const char **names = view->repair->ledger.statuses;
    size_t i = 0;
    while (names[i] && (status->value_type != BSON_TYPE_UTF8 || strcmp(names[i], status->value.v_utf8.str) != 0))
        i++;
    return i;
}

/* In the ledger's order: the server's is another each time. */
static void append_statuses(const tf_ledger_view *view, const tf_sums *sums, bson_t *out)
{
    bson_t array;
    uint32_t n = 0;
    BSON_APPEND_ARRAY_BEGIN(out, "statuses", &array);
    for (size_t wanted = 0; wanted <= TF_LEDGER_STATUSES_MAX; wanted++)
        for (size_t i = 0; i < sums->count; i++)
            if (rank(view, &sums->status[i]) == wanted)
                append_status(view, sums, i, &array, &n);
    bson_append_array_end(out, &array);
}

static bool json_entry(void *arg, const tf_entry *e, tf_error *err)
{
    tf_ledger_view *view = arg;
    _cleanup_bson_ bson_t line = BSON_INITIALIZER;
    (void)err;
    bson_concat(&line, e->owner);
    append_amounts(view, e, &line);
    tf_append_text(&line, "difference", result_of(e));
    if (e->sums)
        append_statuses(view, e->sums, &line);
    fputs(json_first ? "\n      " : ",\n      ", stdout);
    json_first = false;
    tf_json_print_line(stdout, &line);
    return true;
}

static void json_end(tf_ledger_view *view, const tf_statement *shown, const tf_statement_proof *proof, const tf_statement *whole)
{
    const tf_entry sum = {.before = shown->before, .moved = shown->moved, .others = shown->others, .after = shown->after, .documents = shown->documents};
    static const char *const indexes[TF_LEDGER_LINES] = {"0", "1", "2"};
    char lines[TF_LEDGER_LINES][TF_LEDGER_LINE];
    size_t count = tf_ledger_proof_lines(view, proof, whole, lines);
    _cleanup_bson_ bson_t tail = BSON_INITIALIZER;
    bson_t part, text;
    BSON_APPEND_DOCUMENT_BEGIN(&tail, "total", &part);
    BSON_APPEND_INT64(&part, "accounts", shown->accounts);
    BSON_APPEND_INT64(&part, "owners", shown->owners);
    append_amounts(view, &sum, &part);
    bson_append_document_end(&tail, &part);
    BSON_APPEND_DOCUMENT_BEGIN(&tail, "proof", &part);
    BSON_APPEND_UTF8(&part, "verdict", verdict_of(proof));
    BSON_APPEND_BOOL(&part, "ok", proof->verdict == TF_STATEMENT_AGREES);
    BSON_APPEND_INT64(&part, "before", whole->before);
    append_known(view, "change", whole->change, &part);
    append_known(view, "expected", tf_number_sum(whole->before, whole->change), &part);
    append_known(view, "after", whole->after, &part);
    BSON_APPEND_INT64(&part, "explained", whole->explained);
    BSON_APPEND_INT64(&part, "unexplained", whole->unexplained);
    BSON_APPEND_INT64(&part, "unexplainedAmount", whole->unexplained_amount);
    append_known(view, "accountsAmount", whole->moved, &part);
    BSON_APPEND_INT64(&part, "batchesAmount", proof->amount);
    BSON_APPEND_INT64(&part, "runAmount", proof->run_amount);
    BSON_APPEND_INT64(&part, "batches", proof->batches);
    BSON_APPEND_ARRAY_BEGIN(&part, "lines", &text);
    for (size_t i = 0; i < count; i++)
        bson_append_utf8(&text, indexes[i], 1, lines[i], -1);
    bson_append_array_end(&part, &text);
    bson_append_document_end(&tail, &part);
    fputs(json_first ? "],\n    " : "\n    ],\n    ", stdout);
    tf_json_print_members(stdout, &tail, 2);
    fputs("\n  },", stdout);
    tf_output_close(NULL);
}

static void json_fail(tf_ledger_view *view, const tf_error *err)
{
    (void)view;
    fputs(json_first ? "]\n  }," : "\n    ]\n  },", stdout);
    tf_output_close(err);
}

const tf_ledger_format tf_ledger_json = {.begin = json_begin, .entry = json_entry, .end = json_end, .fail = json_fail};
