/*
 * Whether a server survives replacing one document by another. It logs an update as the difference of the two, walking
 * both in their order and taking a name to be unique; where a name that differs stands there twice, mongod 6.0.5 aborts.
 */
#ifndef TF_BACKUP_DELTA_H
#define TF_BACKUP_DELTA_H

#include <bson/bson.h>
#include <stdbool.h>

/* False when the difference from `before` to `after` would name a field that occurs twice in one of them, at any depth. */
bool tf_delta_is_safe(const bson_t *before, const bson_t *after);

/* Whether a document or array below this value holds a name twice. */
bool tf_delta_repeats(const bson_iter_t *value);

#endif
