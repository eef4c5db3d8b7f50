/*
 * A tally: exact sums of amounts per account (the ledger's owner) and status, over the documents it is given. Small: it
 * holds the accounts of one batch.
 */
#ifndef TF_CHECK_TALLY_H
#define TF_CHECK_TALLY_H

#include <tokenfix/repair.h>

typedef struct tf_tally tf_tally;

tf_tally *tf_tally_new(const tf_repair *repair);
void tf_tally_free(tf_tally *tally);
void tf_tally_freep(tf_tally **tally);
void tf_tally_clear(tf_tally *tally);

/* Adds a document of the repaired collection. OVERFLOW when a sum leaves 64 bits. */
bool tf_tally_add(tf_tally *tally, const bson_t *doc, tf_error *err);

/* Appends an array of {owner: {…}, status, n, amount} under `key`, ordered by owner and status; the same content gives the
 * same bytes. */
void tf_tally_append(tf_tally *tally, bson_t *out, const char *key);

/* All amounts together, and the documents whose amount is odd. */
int64_t tf_tally_amount(const tf_tally *tally);
int64_t tf_tally_odd(const tf_tally *tally);

/* Whether both hold, account by account, the same number of documents and the same amount, whatever their status: what a
 * repair must keep. */
bool tf_tally_same_accounts(tf_tally *a, tf_tally *b);

/* The key of an account on the server: appends {npub: "$npub", …} (dots of a path become '_') under `key`. */
void tf_tally_owner_expression(const tf_repair *repair, bson_t *out, const char *key);

#endif
