/*
 * A tally: what moved, as an accountant would enter it. For every document an amount leaves one status of an account (the
 * ledger's owner) and enters another; equal moves are added up. Small: it holds one batch.
 */
#ifndef TF_CHECK_TALLY_H
#define TF_CHECK_TALLY_H

#include <tokenfix/repair.h>

typedef struct tf_tally tf_tally;

/* Never NULL; free with tf_tally_free, which accepts NULL. `repair` is borrowed and outlives the tally. */
tf_tally *tf_tally_new(const tf_repair *repair);
void tf_tally_free(tf_tally *tally);
void tf_tally_clear(tf_tally *tally);

/* Adds the move of one document. `after` needs the ledger's fields only. INVARIANT when account or amount are not the
 * same in both, OVERFLOW when a sum leaves 64 bits. Without a ledger nothing is added. */
bool tf_tally_add(tf_tally *tally, const bson_t *before, const bson_t *after, tf_error *err);

/* Adds a document that came into being: its amount enters a status and leaves none. */
bool tf_tally_create(tf_tally *tally, const bson_t *doc, tf_error *err);

/* Appends an array of {owner: {…}, from, to, n, amount} (created: true instead of from) under `key`, in the order of their bytes: the same moves give the
 * same bytes. */
void tf_tally_append(tf_tally *tally, bson_t *out, const char *key);

/* All amounts together (units of 10^-scale), and the documents whose amount is odd. */
int64_t tf_tally_amount(const tf_tally *tally);
int64_t tf_tally_odd(const tf_tally *tally);

/* What the owner field `path` is called in an owner's document. */
void tf_tally_owner_name(const char *path, char *into, size_t size);

/* The server's expression for an owner under `key`: {npub: "$npub", …}; `flat`: of what tf_tally_owner_key has put in the _id of
 * the $group before it, {npub: "$_id.o0", …}. */
void tf_tally_owner_expression(const tf_repair *repair, bson_t *out, const char *key, bool flat);

/* Appends {o0: "$npub", o1: …}: a document within the key of a $group costs the server half as much again. */
void tf_tally_owner_key(const tf_repair *repair, bson_t *out);

/* Appends to a projection what tf_tally_add reads of `after`. */
void tf_tally_project(const tf_repair *repair, bson_t *projection);

#endif
