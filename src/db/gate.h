/*
 * The gate: every write to the repaired database goes through here. A closed gate (preview, verify, status) refuses, so
 * that no path through the program can write while it only looks.
 */
#ifndef TF_DB_GATE_H
#define TF_DB_GATE_H

#include <stdbool.h>
#include <tokenfix/error.h>

#include "db/operation.h"

typedef struct tf_gate {
    bool open;
} tf_gate;

/* Update statements of one command: each is {q, u, multi?}; `statements` is a BSON array of at most 16 MB. How many
 * documents matched goes to *matched. INTERNAL when the gate is closed; nothing is sent then. */
bool tf_gate_update(const tf_gate *gate, const tf_op *op, const char *collection, const bson_t *statements, bool ordered,
                    int64_t *matched, tf_error *err);

/* Inserts documents as they are (used only to re-create what was deleted). */
bool tf_gate_insert(const tf_gate *gate, const tf_op *op, const char *collection, const bson_t **docs, size_t count,
                    tf_error *err);

#endif
