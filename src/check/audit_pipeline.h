/* The pipelines of an audit's checks, made of their texts. */
#ifndef TF_CHECK_AUDIT_PIPELINE_H
#define TF_CHECK_AUDIT_PIPELINE_H

#include "check/audit.h"

/* Appends to the array `stages` what leads to the findings of one check or several that share a source: the narrowing, the
 * source, and a match of all their `where`. */
bool tf_audit_append_source(const tf_narrowing *narrowing, const tf_check *const *checks, size_t count, bson_t *stages, uint32_t *n,
                            tf_error *err);

/* Fills the empty *stages: one document {c0: [{count, amount}], e0: [examples], c1: …} comes out. */
bool tf_audit_pipeline(const tf_narrowing *narrowing, const tf_check *const *checks, size_t count, bson_t *stages, tf_error *err);

/* The check's probe, which yields at most one document. */
bool tf_audit_probe(const tf_narrowing *narrowing, const tf_check *check, bson_t *stages, tf_error *err);

/* The check's detail for these keys (an array). */
bool tf_audit_detail(const tf_narrowing *narrowing, const tf_check *check, const bson_t *keys, bson_t *stages, tf_error *err);

#endif
