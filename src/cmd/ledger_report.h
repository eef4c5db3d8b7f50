/* A run's ledger on standard output, entry by entry: nothing of it is kept. */
#ifndef TF_CMD_LEDGER_REPORT_H
#define TF_CMD_LEDGER_REPORT_H

#include "check/statement.h"
#include "cmd/terms.h"

typedef struct tf_ledger_view {
    const tf_run *run;
    const tf_repair *repair;
    const char *db;
    const char *owner; /* the one asked for; NULL: all */
    bool by_owner;
    bool known;        /* the balances after were recorded */
    tf_terms terms;
    size_t names;      /* how many owner fields an entry shows */
    /* the table's: how wide its columns are */
    size_t text_width[TF_LEDGER_OWNERS_MAX], number_width[4];
    bool stacked;
    bool others;       /* somebody else wrote meanwhile: there is a column for it */
} tf_ledger_view;

/* How the entries are written. `measure` (may be NULL) sees all of them before `begin`, and once more the sums in `end`. */
typedef struct tf_ledger_format {
    bool (*measure)(void *view, const tf_entry *entry, tf_error *err);
    void (*begin)(tf_ledger_view *view, const tf_statement *whole);
    bool (*entry)(void *view, const tf_entry *entry, tf_error *err);
    void (*end)(tf_ledger_view *view, const tf_statement *shown, const tf_statement_proof *proof, const tf_statement *whole);
    /* Instead of the end where the reading failed: what was begun is closed. */
    void (*fail)(tf_ledger_view *view, const tf_error *err);
} tf_ledger_format;

extern const tf_ledger_format tf_ledger_table, tf_ledger_csv, tf_ledger_json;

/* ---- shared by the formats ---- */

/* The name of the i-th owner field in an entry's owner, which is appended as a text: a string as it is, all else as JSON; empty
 * where there is none. The caller frees. */
char *tf_ledger_owner_text(const tf_ledger_view *view, const bson_t *owner, size_t i);

/* What the run did with a document: "repaired", "restored". */
const char *tf_ledger_verb(const tf_ledger_view *view);

/* The sentences that prove the sum, each on a line of its own, into `out`. */
enum { TF_LEDGER_LINES = 3, TF_LEDGER_LINE = 640 };
size_t tf_ledger_proof_lines(const tf_ledger_view *view, const tf_statement_proof *proof, const tf_statement *whole,
                             char out[TF_LEDGER_LINES][TF_LEDGER_LINE]);

#endif
