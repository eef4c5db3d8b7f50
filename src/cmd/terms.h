/* How a repair's documents and amounts are called and written: "1,234 tokens", "56.70 EUR". */
#ifndef TF_CMD_TERMS_H
#define TF_CMD_TERMS_H

#include <tokenfix/bson.h>
#include <stdbool.h>
#include <tokenfix/repair.h>

#include "store/run.h"

enum { TF_TERMS_TEXT = 128 };

typedef struct tf_terms {
    char noun[48];  /* "token" */
    char owner[64]; /* the ledger's first owner field: "npub" */
    char unit[24];  /* empty: none */
    int scale;      /* digits after the point */
    bool amounts;   /* there is a ledger */
} tf_terms;

/* From a repair, from Extended JSON of one (the defaults where it does not parse), from a run's stored one. */
void tf_terms_of_repair(const tf_repair *repair, tf_terms *out);
void tf_terms_of_json(const char *repair, tf_terms *out);
void tf_terms_of_run(const bson_t *run, tf_terms *out);

/* The same for a run named by its id; the defaults where it cannot be read. */
void tf_terms_of_run_id(const tf_store *store, const char *run, tf_terms *out);

/* "1 token", "1,234 tokens". Fills and returns `out`. */
const char *tf_terms_count(const tf_terms *terms, int64_t n, char out[static TF_TERMS_TEXT]);

/* An amount with its point, without and with the unit: "1,234.56", "1,234.56 EUR"; "-" where there are no amounts. */
const char *tf_terms_number(const tf_terms *terms, int64_t amount, char out[static TF_TERMS_TEXT]);
const char *tf_terms_amount(const tf_terms *terms, int64_t amount, char out[static TF_TERMS_TEXT]);

/* Buffers that live as long as the enclosing block. */
#define TF_DOCUMENTS(terms, n) tf_terms_count((terms), (n), (char[TF_TERMS_TEXT]){0})
#define TF_NUMBER(terms, n) tf_terms_number((terms), (n), (char[TF_TERMS_TEXT]){0})
#define TF_AMOUNT(terms, n) tf_terms_amount((terms), (n), (char[TF_TERMS_TEXT]){0})

/* An amount in BSON: the integer, null where there are no amounts; and {unit, scale} of all amounts of an object. */
void tf_terms_append_amount(const tf_terms *terms, bson_t *to, const char *key, int64_t amount);
void tf_terms_append(const tf_terms *terms, bson_t *to);

#endif
