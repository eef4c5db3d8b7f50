/* What an audit is narrowed to: the documents of an owner, and those created or changed since a run began. */
#ifndef TF_CHECK_NARROWING_H
#define TF_CHECK_NARROWING_H

#include <tokenfix/repair.h>

typedef struct tf_narrowing {
    const tf_repair *repair;
    const char *owner[2];  /* of the ledger's first and second owner field; NULL: all */
    const char *since_run; /* its id; NULL: all times */
    int64_t since;         /* when it began, milliseconds */
    const bson_t *candidates; /* of the check that is run: an array; NULL: not known, or not few */
} tf_narrowing;

/* Whether anything is left out at all. */
bool tf_narrowing_is_narrow(const tf_narrowing *narrowing);

/* As a text, the same for the same narrowing: what a finding's id is made of. Fills and returns `out`. */
const char *tf_narrowing_text(const tf_narrowing *narrowing, char *out, size_t size);

/* Appends to the empty *query the conditions of a query (which can use an index). Nothing where nothing is narrowed. */
void tf_narrowing_query(const tf_narrowing *narrowing, bson_t *query);

/* Copies stages, or a query, with "$$NARROWED", "$$WHOSE", "$$SINCE", "$$AMOUNT", "$$CANDIDATES" and "$$EVERY"
 * (tokenfix/migration.h) in their places. */
void tf_narrowing_bind(const tf_narrowing *narrowing, const bson_t *from, bson_t *out);

#endif
