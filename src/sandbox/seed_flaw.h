/* What can be wrong with a token of the sample data: a sound one, with flaws put in. */
#ifndef TOKENFIX_SANDBOX_SEED_FLAW_H
#define TOKENFIX_SANDBOX_SEED_FLAW_H

#include <tokenfix/bson.h>

/* Bits; of those of one field the first counts. */
typedef enum tf_seed_flaw {
    TF_FLAW_NO_WALLET = 1 << 0,
    TF_FLAW_NULL_WALLET = 1 << 1,
    TF_FLAW_LOST_WALLET = 1 << 2, /* an id that no wallet has */
    TF_FLAW_NO_TOTAL = 1 << 3,
    TF_FLAW_NULL_TOTAL = 1 << 4,
    TF_FLAW_TEXT_TOTAL = 1 << 5, /* the right number, but as text */
    TF_FLAW_NAN_TOTAL = 1 << 6,
    TF_FLAW_FRACTION_TOTAL = 1 << 7, /* half a unit more */
    TF_FLAW_ZERO_TOTAL = 1 << 8,
    TF_FLAW_NEGATIVE_TOTAL = 1 << 9, /* -1 */
    TF_FLAW_WRONG_TOTAL = 1 << 10,   /* one more */
    TF_FLAW_NO_METADATA = 1 << 11,
    TF_FLAW_NO_SOURCE = 1 << 12,
    TF_FLAW_NO_SPENT_AT = 1 << 13,
    TF_FLAW_NULL_SPENT_AT = 1 << 14,
    TF_FLAW_SPENT_AT = 1 << 15, /* the time of its creation */
    TF_FLAW_ODD_STATUS = 1 << 16,
    TF_FLAW_ODD_TYPE = 1 << 17,
    TF_FLAW_SECRET_TWICE = 1 << 18, /* the last proof has the secret of the first */
    TF_FLAW_SECRET_SHARED = 1 << 19 /* the first proof has `secret` */
} tf_seed_flaw;

/* Appends the token with the flaws (0: as it is) to *out. `secret` may be NULL where none is shared. */
void tf_seed_flaw_apply(const bson_t *token, unsigned flaws, const char *secret, bson_t *out);

/* The secret of the first proof, borrowed from the token. */
const char *tf_seed_first_secret(const bson_t *token);

#endif
