/*
 * What one owner of the ledger holds: his sums by status, added up by the server over his documents alone (the owner is asked
 * for by equality, so that an index on the first owner field is used).
 */
#ifndef TF_CHECK_HOLDING_H
#define TF_CHECK_HOLDING_H

#include "store/store.h"

#include <tokenfix/repair.h>

typedef struct tf_holding_row {
    char *status; /* owned */
    int64_t documents;
    int64_t amount; /* units of 10^-scale; 0 where it is not counted */
    bool counted;
} tf_holding_row;

typedef struct tf_holding {
    tf_holding_row *rows; /* the ledger's statuses in its order; where it names none, those that are there, by name */
    size_t rows_count;
    int64_t balance;   /* of the rows that make one */
    int64_t documents; /* whatever their status */
    int64_t odd;       /* documents whose amount cannot be counted: 0 in every sum */
    int64_t others;    /* documents of no such status: in no row */
} tf_holding;

/* `repair` must have a ledger. `owner` is the text of its first owner field, `second` of its second (NULL: any). No document:
 * zeros. *out (free with tf_holding_done) is untouched on failure: OVERFLOW where a sum leaves 64 bits. */
bool tf_holding_read(const tf_store *store, const tf_repair *repair, const char *owner, const char *second, tf_holding *out,
                     tf_error *err);
void tf_holding_done(tf_holding *holding);

#endif
