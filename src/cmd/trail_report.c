#include "cmd/trail_report.h"

#include <inttypes.h>

#include "base/field.h"
#include "base/hash.h"
#include "base/text.h"
#include "cmd/sheet.h"
#include "db/id.h"
#include "report/format.h"
#include "report/terminal.h"

enum { TEXT_MAX = 1024 };

/* ---- an examination: data ---- */

static void append_break(const tf_trail_report *report, bson_t *out)
{
    bson_t found;
    const tf_chain *chain = report->chain;
    if (chain->broken == TF_BREAK_NONE) {
        BSON_APPEND_NULL(out, "break");
        return;
    }
    BSON_APPEND_DOCUMENT_BEGIN(out, "break", &found);
    BSON_APPEND_INT64(&found, "event", chain->at);
    if (report->file)
        BSON_APPEND_INT64(&found, "line", report->file->line);
    BSON_APPEND_UTF8(&found, "kind", tf_break_name(chain->broken));
    BSON_APPEND_UTF8(&found, "message", chain->text);
    bson_append_document_end(out, &found);
}

static void append_archive(const tf_trail *trail, bson_t *out)
{
    bson_t archive;
    if (!trail->anchor.upto.seq) {
        BSON_APPEND_NULL(out, "archived");
        return;
    }
    BSON_APPEND_DOCUMENT_BEGIN(out, "archived", &archive);
    BSON_APPEND_INT64(&archive, "upto", trail->anchor.upto.seq);
    tf_append_time(&archive, "at", trail->anchor.at);
    tf_append_text(&archive, "file", trail->anchor.file);
    tf_append_text(&archive, "sha256", trail->anchor.sha256);
    BSON_APPEND_INT64(&archive, "leftOver", trail->left_over);
    bson_append_document_end(out, &archive);
}

/* Whether the head asked about lies before all that can be compared. */
static bool head_is_before(const tf_trail_report *report)
{
    const tf_chain *chain = report->chain;
    int64_t begins = report->trail ? report->trail->anchor.upto.seq : chain->before.seq;
    return report->head && report->head->seq < begins;
}

void tf_trail_report_append(const tf_trail_report *report, bson_t *out)
{
    const tf_chain *chain = report->chain;
    char head[TF_HEAD_TEXT];
    bson_t sealed;
    BSON_APPEND_BOOL(out, "intact", chain->broken == TF_BREAK_NONE);
    BSON_APPEND_INT64(out, "events", chain->count);
    BSON_APPEND_INT64(out, "first", chain->first);
    BSON_APPEND_INT64(out, "last", chain->last.seq);
    tf_append_text(out, "head", chain->last.seq ? tf_head_text(&chain->last, head) : NULL);
    if (report->head)
        BSON_APPEND_BOOL(out, "headCompared", !head_is_before(report));
    BSON_APPEND_DOCUMENT_BEGIN(out, "signed", &sealed);
    BSON_APPEND_INT64(&sealed, "events", chain->signed_count);
    BSON_APPEND_INT64(&sealed, "first", chain->first_signed);
    BSON_APPEND_INT64(&sealed, "last", chain->last_signed);
    BSON_APPEND_BOOL(&sealed, "examined", chain->keys_count > 0);
    bson_append_document_end(out, &sealed);
    if (report->trail) {
        append_archive(report->trail, out);
        BSON_APPEND_INT64(out, "comparedRuns", report->trail->witnesses);
    }
    if (report->file) {
        BSON_APPEND_UTF8(out, "file", report->name);
        BSON_APPEND_UTF8(out, "sha256", report->file->sha256);
        BSON_APPEND_BOOL(out, "closingSigned", report->file->closed_signed);
    }
    if (report->exported) {
        BSON_APPEND_UTF8(out, "file", report->exported);
        BSON_APPEND_UTF8(out, "sha256", report->sha256);
    }
    append_break(report, out);
}

/* ---- an examination: text ---- */

void tf_head_print(const char *label, const tf_head *head)
{
    char text[TF_HEAD_TEXT], line_text[TF_HEAD_TEXT + 32];
    if (!head->seq)
        return;
    snprintf(line_text, sizeof line_text, "%s %s", label, tf_head_text(head, text));
    tf_text_wrap(stdout, line_text, 0, 0, tf_terminal_of(stdout).width);
}

static void print_wrapped(const char *text)
{
    char clean[700];
    tf_text_wrap(stdout, tf_text_clean(text, clean, sizeof clean), 0, 0, tf_terminal_of(stdout).width);
}

static void print_verdict(const tf_trail_report *report)
{
    const tf_chain *chain = report->chain;
    bool whole = chain->broken == TF_BREAK_NONE, color = tf_terminal_of(stdout).color;
    char title[600], verdict[128];
    snprintf(title, sizeof title, "The audit trail %s %s:", report->file ? "in" : "of", report->name);
    if (whole && chain->count)
        snprintf(verdict, sizeof verdict, "whole, events %" PRId64 " to %" PRId64, chain->first, chain->last.seq);
    else if (whole)
        snprintf(verdict, sizeof verdict, "empty");
    else if (chain->broken == TF_BREAK_ARCHIVED)
        snprintf(verdict, sizeof verdict, "NOT PROVEN back to event %" PRId64, chain->at);
    else
        snprintf(verdict, sizeof verdict, "BROKEN at %s %" PRId64 " (%s)", report->file ? "line" : "event",
                 report->file ? report->file->line : chain->at, tf_break_name(chain->broken));
    print_wrapped(title);
    printf("%s%s%s\n", color ? (whole ? "\033[1;32m" : "\033[1;31m") : "", verdict, color ? "\033[0m" : "");
    if (!whole)
        print_wrapped(chain->text);
    printf("\n");
}

static void add_signatures(tf_table *sheet, const tf_chain *chain)
{
    if (!chain->signed_count)
        tf_sheet_add(sheet, "signed", "none");
    else if (chain->keys_count)
        tf_sheet_add(sheet, "signed", "%s events, %" PRId64 " to %" PRId64 ", each signature examined", TF_COUNT(chain->signed_count), chain->first_signed,
                     chain->last_signed);
    else
        tf_sheet_add(sheet, "signed", "%s events, %" PRId64 " to %" PRId64 "; not examined: --public-key FILE does", TF_COUNT(chain->signed_count),
                     chain->first_signed, chain->last_signed);
}

static void add_trail(tf_table *sheet, const tf_trail *trail)
{
    const tf_anchor *anchor = &trail->anchor;
    if (anchor->upto.seq)
        tf_sheet_add(sheet, "archived", "up to event %" PRId64 ", in '%s', SHA-256 %s", anchor->upto.seq, TF_WORD(anchor->file), anchor->sha256);
    if (trail->left_over)
        tf_sheet_add(sheet, "not removed", "%s archived events: the same --archive again removes them", TF_COUNT(trail->left_over));
    if (trail->witnesses)
        tf_sheet_add(sheet, "compared", "with the records of %s run%s", TF_COUNT(trail->witnesses), trail->witnesses == 1 ? "" : "s");
}

void tf_trail_report_print(const tf_trail_report *report)
{
    const tf_chain *chain = report->chain;
    _cleanup_(tf_table_freep) tf_table *sheet = tf_sheet_new();
    print_verdict(report);
    add_signatures(sheet, chain);
    if (report->trail)
        add_trail(sheet, report->trail);
    if (report->file && chain->first > 1)
        tf_sheet_add(sheet, "begins", "with event %" PRId64 ": what is before is in an earlier file", chain->first);
    if (head_is_before(report))
        tf_sheet_add(sheet, "not compared", "event %" PRId64 ", which --head names, lies before the first", report->head->seq);
    if (report->exported)
        tf_sheet_add(sheet, "file", "%s, SHA-256 %s", TF_WORD(report->exported), report->sha256);
    tf_sheet_print(sheet);
    tf_head_print(chain->broken == TF_BREAK_NONE ? "Trail head" : "Whole up to", &chain->last);
}

/* ---- events ---- */

static bool find(const bson_t *event, const char *path, bson_iter_t *found)
{
    bson_iter_t iter;
    return bson_iter_init(&iter, event) && bson_iter_find_descendant(&iter, path, found);
}

static void append_copy(const bson_t *event, const char *name, const char *key, bson_t *out)
{
    bson_iter_t found;
    if (find(event, name, &found))
        bson_append_iter(out, key, -1, &found);
}

static void append_hex(const bson_t *event, const char *name, const char *key, bson_t *out)
{
    bson_iter_t found;
    const uint8_t *bytes = NULL;
    uint32_t length = 0;
    char hex[2 * TF_SIGNATURE_SIZE + 1] = "";
    if (find(event, name, &found) && BSON_ITER_HOLDS_BINARY(&found))
        bson_iter_binary(&found, NULL, &length, &bytes);
    if (length > 0 && length <= TF_SIGNATURE_SIZE)
        tf_hex(bytes, length, hex);
    tf_append_text(out, key, hex);
}

static void append_named(const bson_t *event, const char *name, const char *key, bson_t *out)
{
    bson_iter_t found;
    tf_append_text(out, key, find(event, name, &found) && BSON_ITER_HOLDS_UTF8(&found) ? bson_iter_utf8(&found, NULL) : NULL);
}

void tf_event_append_fields(const bson_t *event, bson_t *out)
{
    bson_iter_t found;
    BSON_APPEND_INT64(out, "seq", tf_field_number(event, "_id"));
    tf_append_time(out, "at", tf_field_number(event, "at"));
    append_named(event, "type", "type", out);
    append_named(event, "run", "run", out);
    append_named(event, "user", "user", out);
    append_named(event, "host", "host", out);
    BSON_APPEND_INT64(out, "pid", tf_field_number(event, "pid"));
    append_named(event, "database_user", "databaseUser", out);
    append_copy(event, "options", "options", out);
    append_copy(event, find(event, "data", &found) ? "data" : "result", "data", out);
    append_copy(event, "result", "result", out);
    append_hex(event, "key", "key", out);
    append_hex(event, "hash", "hash", out);
    append_hex(event, "signature", "signature", out);
}

const char *tf_event_text(const bson_t *event, char *out, size_t size)
{
    bson_iter_t found;
    char data[TEXT_MAX] = "", why[TEXT_MAX] = "";
    bool failed = find(event, "result.message", &found) && BSON_ITER_HOLDS_UTF8(&found);
    if (failed)
        tf_value_text(bson_iter_value(&found), why, sizeof why);
    if (find(event, "data", &found) || (!failed && find(event, "result", &found)))
        tf_value_text(bson_iter_value(&found), data, sizeof data);
    snprintf(out, size, "%s%s%s", data, *data && *why ? ": " : "", why);
    return out;
}

/* ---- a page ---- */

bool tf_event_page_read(const tf_store *store, int64_t limit, int64_t offset, tf_event_page *out, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "read the events");
    _cleanup_bson_ bson_t all = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *opts =
        BCON_NEW("sort", "{", "_id", BCON_INT32(-1), "}", "limit", BCON_INT64(limit), "skip", BCON_INT64(offset));
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = tf_op_find(&op, tf_store_name(store, TF_EVENTS).text, &all, opts);
    const bson_t *doc = NULL;
    int got;
    out->limit = limit;
    out->offset = offset;
    while ((got = tf_cursor_next(cursor, &op, &doc, err)) == 1) {
        out->events = bson_realloc(out->events, (out->count + 1) * sizeof *out->events);
        out->events[out->count++] = bson_copy(doc);
    }
    return got == 0;
}

void tf_event_page_done(tf_event_page *page)
{
    for (size_t i = 0; i < page->count; i++)
        bson_destroy(page->events[i]);
    bson_free(page->events);
    *page = (tf_event_page){0};
}

void tf_event_page_append(const tf_event_page *page, bson_t *out)
{
    bson_t array;
    uint32_t n = 0;
    BSON_APPEND_ARRAY_BEGIN(out, "events", &array);
    for (size_t i = 0; i < page->count; i++) {
        _cleanup_bson_ bson_t one = BSON_INITIALIZER;
        tf_event_append_fields(page->events[i], &one);
        tf_array_append_document(&array, &n, &one);
    }
    bson_append_array_end(out, &array);
    BSON_APPEND_INT64(out, "limit", page->limit);
    BSON_APPEND_INT64(out, "offset", page->offset);
}

void tf_event_page_print(const tf_event_page *page)
{
    static const tf_column columns[] = {{"seq", "#", TF_COLUMN_COUNT, 0},
                                        {"at", "time", TF_COLUMN_TIME, 0},
                                        {"type", "event", TF_COLUMN_TEXT, TF_COLUMN_SHRINK},
                                        {"who", "who", TF_COLUMN_TEXT, TF_COLUMN_SHRINK},
                                        {"data", "", TF_COLUMN_TEXT, TF_COLUMN_SHRINK},
                                        {NULL, NULL, TF_COLUMN_TEXT, 0}};
    _cleanup_(tf_table_freep) tf_table *table = tf_table_new(columns, 0);
    for (size_t i = 0; i < page->count; i++) {
        const bson_t *event = page->events[i];
        char type[64], user[64], host[256], who[400], run[TF_RUN_ID_SIZE], said[TEXT_MAX], text[TEXT_MAX + 80];
        tf_field_text(event, "type", type, sizeof type);
        tf_field_text(event, "user", user, sizeof user);
        tf_field_text(event, "host", host, sizeof host);
        tf_field_text(event, "run", run, sizeof run);
        snprintf(who, sizeof who, "%s@%s", user, host);
        tf_event_text(event, said, sizeof said);
        snprintf(text, sizeof text, "%s%s%s%s", said, *said && *run ? ", " : "", *run ? "run " : "", run);
        tf_table_add(table, TF_CELL_NUMBER(tf_field_number(event, "_id")), TF_CELL_NUMBER(tf_field_number(event, "at")), TF_CELL_TEXT(type),
                     TF_CELL_TEXT(who), TF_CELL_TEXT(text));
    }
    tf_table_print(table, stdout);
}
