/*
 * A ledger as a table for people. smartcols would want all lines at once: here the entries are read twice, to measure and to
 * write. Where the columns do not fit side by side, the amounts stand below the names.
 */
#include "base/text.h"
#include "cmd/ledger_report.h"
#include "report/format.h"
#include "report/output.h"
#include "report/terminal.h"

enum { GAP = 2, NARROW = 16, CELL = 512, BEFORE = 0, MOVED, OTHERS, AFTER, NUMBERS };

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void numbers_of(const tf_ledger_view *view, const tf_entry *e, char out[NUMBERS][TF_TERMS_TEXT])
{
    tf_terms_number(&view->terms, e->before, out[BEFORE]);
    for (size_t i = MOVED; i < NUMBERS; i++)
        snprintf(out[i], TF_TERMS_TEXT, "-");
    if (view->known) {
        tf_terms_number(&view->terms, e->moved, out[MOVED]);
        tf_terms_number(&view->terms, e->others, out[OTHERS]);
        tf_terms_number(&view->terms, e->after, out[AFTER]);
    }
}

static tf_entry sum_of(const tf_statement *s)
{
    return (tf_entry){.before = s->before, .moved = s->moved, .others = s->others, .after = s->after, .documents = s->documents};
}

static void measure_numbers(tf_ledger_view *view, const tf_entry *e)
{
    char numbers[NUMBERS][TF_TERMS_TEXT];
    numbers_of(view, e, numbers);
    for (size_t i = 0; i < NUMBERS; i++)
        view->number_width[i] = larger(view->number_width[i], strlen(numbers[i]));
    view->others = view->others || e->others;
}

static bool table_measure(void *arg, const tf_entry *e, tf_error *err)
{
    tf_ledger_view *view = arg;
    (void)err;
    for (size_t i = 0; i < view->names; i++) {
        char clean[CELL], *text = tf_ledger_owner_text(view, e->owner, i);
        view->text_width[i] = larger(view->text_width[i], tf_text_width(tf_text_clean(text, clean, sizeof clean)));
        free(text);
    }
    measure_numbers(view, e);
    return true;
}

static const char *title(const tf_ledger_view *view, size_t number)
{
    return number == MOVED ? tf_ledger_verb(view) : (const char *const[]){"before", "", "others", "after"}[number];
}

static bool is_shown(const tf_ledger_view *view, size_t number)
{
    return number != OTHERS || view->others;
}

/* The widest name gives way first; where that is not enough, amounts go below the names. */
static void fit(tf_ledger_view *view, size_t terminal)
{
    size_t total = 0;
    for (size_t i = 0; i < NUMBERS; i++)
        total += is_shown(view, i) ? view->number_width[i] + GAP : 0;
    for (size_t i = 0; i < view->names; i++)
        total += view->text_width[i] + (i ? GAP : 0);
    while (total > terminal) {
        size_t widest = 0;
        for (size_t i = 1; i < view->names; i++)
            if (view->text_width[i] > view->text_width[widest])
                widest = i;
        if (view->text_width[widest] <= NARROW) {
            view->stacked = true;
            return;
        }
        view->text_width[widest]--;
        total--;
    }
}

static void print_text(const char *text, size_t width, bool last)
{
    char clean[CELL];
    size_t length = strlen(tf_text_clean(text, clean, sizeof clean)), used = 0;
    if (tf_text_width(clean) > width && width > 3) {
        size_t at = 0;
        for (; used + 3 < width && at < length; used++) {
            size_t step = tf_utf8_next(clean + at, length - at, NULL);
            at += step ? step : 1;
        }
        snprintf(clean + at, sizeof clean - at, "..."); /* what lacks its end must not be taken for a whole one */
    }
    used = tf_text_width(clean);
    fputs(clean, stdout);
    if (!last)
        printf("%*s", (int)(width > used ? width - used : 0), "");
}

static void print_numbers(const tf_ledger_view *view, const char numbers[NUMBERS][TF_TERMS_TEXT])
{
    for (size_t i = 0; i < NUMBERS; i++)
        if (is_shown(view, i))
            printf("%*s%*s", GAP, "", (int)view->number_width[i], numbers[i]);
    putchar('\n');
}

static void print_line(const tf_ledger_view *view, const char *const *names, const char numbers[NUMBERS][TF_TERMS_TEXT])
{
    size_t terminal = tf_terminal_of(stdout).width;
    for (size_t i = 0; i < view->names; i++) {
        if (view->stacked && !*names[i] && i)
            continue;
        if (i && !view->stacked)
            printf("%*s", GAP, "");
        print_text(names[i], view->stacked ? terminal : view->text_width[i], view->stacked);
        if (view->stacked)
            putchar('\n');
    }
    print_numbers(view, numbers);
}

static void print_head(const tf_ledger_view *view)
{
    char numbers[NUMBERS][TF_TERMS_TEXT], names[TF_LEDGER_OWNERS_MAX][CELL];
    const char *list[TF_LEDGER_OWNERS_MAX] = {NULL};
    for (size_t i = 0; i < NUMBERS; i++)
        snprintf(numbers[i], sizeof numbers[i], "%s", title(view, i));
    for (size_t i = 0; i < view->names; i++) {
        snprintf(names[i], sizeof names[i], "%s", view->repair->ledger.owner[i]);
        list[i] = names[i];
    }
    print_line(view, list, numbers);
}

static void table_begin(tf_ledger_view *view, const tf_statement *whole)
{
    const tf_run *run = view->run;
    size_t width = tf_terminal_of(stdout).width;
    char line[512], of[96] = "";
    const tf_entry sum = sum_of(whole);
    measure_numbers(view, &sum);
    for (size_t i = 0; i < NUMBERS; i++)
        view->number_width[i] = larger(view->number_width[i], strlen(title(view, i)));
    for (size_t i = 0; i < view->names; i++)
        view->text_width[i] = larger(view->text_width[i], tf_text_width(view->repair->ledger.owner[i]));
    fit(view, width);
    if (view->owner)
        snprintf(of, sizeof of, ", only %s %s", view->terms.owner, TF_WORD(view->owner));
    snprintf(line, sizeof line, "Ledger of run %s, '%s' of %s in %s%s%s%s", run->id, run->down ? "down" : "up", run->migration, view->db,
             view->terms.unit[0] ? ", in " : "", view->terms.unit, of);
    tf_text_wrap(stdout, line, 0, 0, width);
    putchar('\n');
    if (whole->accounts)
        print_head(view);
}

static bool table_entry(void *arg, const tf_entry *e, tf_error *err)
{
    tf_ledger_view *view = arg;
    char numbers[NUMBERS][TF_TERMS_TEXT], *names[TF_LEDGER_OWNERS_MAX] = {NULL};
    const char *list[TF_LEDGER_OWNERS_MAX] = {NULL};
    (void)err;
    numbers_of(view, e, numbers);
    for (size_t i = 0; i < view->names; i++)
        list[i] = names[i] = tf_ledger_owner_text(view, e->owner, i);
    print_line(view, list, numbers);
    for (size_t i = 0; i < view->names; i++)
        free(names[i]);
    return true;
}

static void table_end(tf_ledger_view *view, const tf_statement *shown, const tf_statement_proof *proof, const tf_statement *whole)
{
    char numbers[NUMBERS][TF_TERMS_TEXT], lines[TF_LEDGER_LINES][TF_LEDGER_LINE], line[512], done[200] = "";
    size_t width = tf_terminal_of(stdout).width, count = tf_ledger_proof_lines(view, proof, whole, lines);
    const char *list[TF_LEDGER_OWNERS_MAX] = {"total", "", "", ""};
    const tf_entry sum = sum_of(shown);
    numbers_of(view, &sum, numbers);
    if (shown->accounts)
        print_line(view, list, numbers);
    if (view->known)
        snprintf(done, sizeof done, "; %s %s", TF_DOCUMENTS(&view->terms, shown->documents), tf_ledger_verb(view));
    snprintf(line, sizeof line, "%s%s account%s of %s user%s%s.", shown->accounts ? "\n" : "", TF_COUNT(shown->accounts),
             shown->accounts == 1 ? "" : "s", TF_COUNT(shown->owners), shown->owners == 1 ? "" : "s", done);
    tf_text_wrap(stdout, line, 0, 0, width);
    for (size_t i = 0; i < count; i++)
        tf_text_wrap(stdout, lines[i], 0, 0, width);
}

static void table_fail(tf_ledger_view *view, const tf_error *err)
{
    (void)view;
    tf_output_error(err, NULL, NULL, false);
}

const tf_ledger_format tf_ledger_table = {
    .measure = table_measure, .begin = table_begin, .entry = table_entry, .end = table_end, .fail = table_fail};
