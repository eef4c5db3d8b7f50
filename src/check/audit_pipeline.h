/* The pipelines of an audit's checks, made of their texts. */
#ifndef TF_CHECK_AUDIT_PIPELINE_H
#define TF_CHECK_AUDIT_PIPELINE_H

#include "check/audit.h"

enum { TF_CANDIDATES_MAX = 1000 };

/* Appends to the array `stages` what leads to the findings of a pass: the narrowing, the candidates, the source, and a match of
 * whatever any of its checks and premises asks for. */
bool tf_audit_append_source(const tf_narrowing *narrowing, const tf_pass *pass, bson_t *stages, uint32_t *n, tf_error *err);

/* Appends the check's stages that make owners of what was found, where it has any. */
bool tf_audit_append_owners(const tf_narrowing *narrowing, const tf_check *check, bson_t *stages, uint32_t *n, tf_error *err);

/* Fills the empty *stages: one document {c0: [{count, amount}], e0: [examples], c1: …, k0: [candidates], …} comes out. */
bool tf_audit_pipeline(const tf_narrowing *narrowing, const tf_pass *pass, bson_t *stages, tf_error *err);

/* The check's probe: candidates come out, at most TF_CANDIDATES_MAX + 1. One without an _id is too large to be asked for. */
bool tf_audit_probe(const tf_narrowing *narrowing, const tf_check *check, bson_t *stages, tf_error *err);

#endif
