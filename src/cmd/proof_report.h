/* A proof, as data and as text: what `verify` says, and what closes an `up`. */
#ifndef TF_CMD_PROOF_REPORT_H
#define TF_CMD_PROOF_REPORT_H

#include "cmd/terms.h"
#include "engine/engine.h"

/* Appends the fields of `verify`'s data to `out`. */
void tf_proof_report_append(const tf_proof *proof, const tf_terms *terms, bson_t *out);

/* Whether there is something that a person must look at: exit status 3. */
bool tf_proof_report_has_findings(const tf_proof *proof);

/* Prints the verdict, the counts and the lists on standard output. */
void tf_proof_report_print(const tf_proof *proof, const tf_terms *terms);

/* A titled list of ids or of {_id, reason}; nothing for an empty one. `total` is how many there are in all. */
void tf_ids_print(const char *title, const bson_t *ids, int64_t total);

#endif
