/* Whether a document was created or changed since a run began, as far as its own times tell. */
#ifndef TF_CHECK_SINCE_H
#define TF_CHECK_SINCE_H

#include <tokenfix/repair.h>

/* Appends under `key` an aggregation expression: true when a creation time is not before `started` (milliseconds), an
 * update time is after it (the repair itself writes `started`), or the ObjectId was made since. */
void tf_since_expression(const tf_repair *repair, int64_t started, bson_t *out, const char *key);

#endif
