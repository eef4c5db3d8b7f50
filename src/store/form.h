/*
 * The form of a document of the state database: what was written there by us, and read back as something else, was damaged
 * or comes from somebody hostile. Checked before a value of it is used.
 */
#ifndef TF_STORE_FORM_H
#define TF_STORE_FORM_H

#include <tokenfix/bson.h>
#include <stdbool.h>
#include <tokenfix/error.h>

typedef enum tf_form_kind {
    TF_FORM_ID,       /* a run's id: 1 to 63 of [0-9a-z-] */
    TF_FORM_TEXT,     /* a text without NUL */
    TF_FORM_WORD,     /* one of `words` */
    TF_FORM_WHOLE,    /* an integer from `min` to 2^53 */
    TF_FORM_FLAG,     /* a boolean */
    TF_FORM_DATE,     /* within the years 1970 to 9999 */
    TF_FORM_DOCUMENT,
    TF_FORM_ARRAY,
    TF_FORM_HASH,     /* 32 bytes of binary data */
    TF_FORM_BOUND     /* {v: an _id}: db/id.h */
} tf_form_kind;

typedef struct tf_form {
    const char *path; /* dotted; NULL ends the table */
    tf_form_kind kind;
    bool optional;
    int64_t min;              /* WHOLE */
    const char *const *words; /* WORD: NULL-terminated */
} tf_form;

#define TF_FORM_LARGEST ((int64_t)1 << 53)

/* DAMAGED where the document holds a name twice (an update by pipeline of such a one makes mongod 6.0.5 abort), or, naming the field, where the document lacks one that is not optional or holds one of another form. `what`: how
 * the message calls the document ("run", "partition"). */
bool tf_form_check(const bson_t *doc, const tf_form *form, const char *what, tf_error *err);

#endif
