/* The audit trail as a whole: what an examination found, and a page of its events. */
#ifndef TF_CMD_TRAIL_REPORT_H
#define TF_CMD_TRAIL_REPORT_H

#include "report/table.h"
#include "store/trail_file.h"
#include "store/trail.h"

/* Everything is borrowed. One of `trail` and `file` is given. */
typedef struct tf_trail_report {
    const tf_chain *chain;
    const tf_trail *trail;
    const tf_trail_file *file;
    const char *name;                /* of the state database, or the file */
    const tf_head *head;             /* that was asked about; NULL: none */
    const char *exported, *sha256;   /* the file it was written to, and its hash; NULL: it was not */
} tf_trail_report;

void tf_trail_report_append(const tf_trail_report *report, bson_t *out);
void tf_trail_report_print(const tf_trail_report *report);

/* "LABEL SEQ:HASH", wrapped; nothing where there is no head. */
void tf_head_print(const char *label, const tf_head *head);

typedef struct tf_event_page {
    bson_t **events; /* as stored, the newest first */
    size_t count;
    int64_t limit, offset;
} tf_event_page;

bool tf_event_page_read(const tf_store *store, int64_t limit, int64_t offset, tf_event_page *out, tf_error *err);
void tf_event_page_done(tf_event_page *page);
void tf_event_page_append(const tf_event_page *page, bson_t *out);
void tf_event_page_print(const tf_event_page *page);

/* An event's fields, as JSON shows them. */
void tf_event_append_fields(const bson_t *event, bson_t *out);

/* What an event says besides who, when and run: its data, and why it failed, else its result, on one line. Fills and returns `out`. */
const char *tf_event_text(const bson_t *event, char *out, size_t size);

#endif
