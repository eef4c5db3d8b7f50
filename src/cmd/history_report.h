/* The batches and events of one run. */
#ifndef TF_CMD_HISTORY_REPORT_H
#define TF_CMD_HISTORY_REPORT_H

#include "cmd/terms.h"
#include "report/table.h"
#include "store/run.h"

typedef struct tf_history {
    tf_terms terms;
    int64_t batches_total, offset;
    bson_t **batches; /* the page asked for, as stored */
    size_t batches_count;
    bson_t **events; /* all, as stored */
    size_t events_count;
} tf_history;

/* Reads at most `limit` batches, `offset` left out before the first, and the events. */
bool tf_history_read(const tf_store *store, const tf_run *run, int64_t limit, int64_t offset, tf_history *out,
                     tf_error *err);
void tf_history_done(tf_history *history);

void tf_history_append(const tf_history *history, bson_t *out);
void tf_history_print(const tf_history *history);

#endif
