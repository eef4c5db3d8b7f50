#include "store/form.h"

#include <string.h>

#include "base/docs.h"
#include "base/text.h"
#include "store/store.h"

#define HINT "docs/runbook.md, 'A damaged state database'."
#define YEAR_10000_MS 253402300800000 /* 10000-01-01, milliseconds since the epoch */

static bool is_text(const bson_iter_t *at, uint32_t *length)
{
    if (!BSON_ITER_HOLDS_UTF8(at))
        return false;
    const char *text = bson_iter_utf8(at, length);
    return strlen(text) == *length;
}

static bool is_id(const bson_iter_t *at)
{
    uint32_t length = 0;
    return is_text(at, &length) && length > 0 && length < TF_RUN_ID_SIZE &&
           strspn(bson_iter_utf8(at, NULL), "0123456789abcdefghijklmnopqrstuvwxyz-") == length;
}

static bool is_word(const bson_iter_t *at, const char *const *words)
{
    uint32_t length = 0;
    if (!is_text(at, &length))
        return false;
    for (; *words; words++)
        if (strcmp(*words, bson_iter_utf8(at, NULL)) == 0)
            return true;
    return false;
}

static bool is_bound(const bson_iter_t *at)
{
    bson_iter_t child;
    return BSON_ITER_HOLDS_DOCUMENT(at) && bson_iter_recurse(at, &child) && bson_iter_find(&child, "v");
}

static bool fits(const bson_iter_t *at, const tf_form *row)
{
    uint32_t length = 0;
    const uint8_t *data = NULL;
    switch (row->kind) {
    case TF_FORM_ID:
        return is_id(at);
    case TF_FORM_TEXT:
        return is_text(at, &length);
    case TF_FORM_WORD:
        return is_word(at, row->words);
    case TF_FORM_WHOLE:
        return BSON_ITER_HOLDS_INT(at) && bson_iter_as_int64(at) >= row->min && bson_iter_as_int64(at) <= TF_FORM_LARGEST;
    case TF_FORM_FLAG:
        return BSON_ITER_HOLDS_BOOL(at);
    case TF_FORM_DATE:
        return BSON_ITER_HOLDS_DATE_TIME(at) && bson_iter_date_time(at) >= 0 && bson_iter_date_time(at) < YEAR_10000_MS;
    case TF_FORM_DOCUMENT:
        return BSON_ITER_HOLDS_DOCUMENT(at);
    case TF_FORM_ARRAY:
        return BSON_ITER_HOLDS_ARRAY(at);
    case TF_FORM_HASH:
        if (BSON_ITER_HOLDS_BINARY(at))
            bson_iter_binary(at, NULL, &length, &data);
        return length == 32;
    case TF_FORM_BOUND:
        return is_bound(at);
    }
    return false;
}

bool tf_form_check(const bson_t *doc, const tf_form *form, const char *what, tf_error *err)
{
    if (!tf_doc_is_sound(doc)) {
        tf_error_set(err, TF_ERR_DAMAGED, "a %s of the state database is not BSON, or nested too deeply", what);
        return tf_error_hint(err, HINT);
    }
    if (tf_doc_repeats(doc, false)) {
        tf_error_set(err, TF_ERR_DAMAGED, "a %s of the state database holds a name twice", what);
        return tf_error_hint(err, HINT);
    }
    for (const tf_form *row = form; row->path; row++) {
        bson_iter_t iter, at, id;
        bool found = bson_iter_init(&iter, doc) && bson_iter_find_descendant(&iter, row->path, &at);
        if (found ? fits(&at, row) : row->optional)
            continue;
        bool named = bson_iter_init_find(&id, doc, "_id") && BSON_ITER_HOLDS_UTF8(&id);
        tf_error_set(err, TF_ERR_DAMAGED, "%s %s of the state database is damaged: '%s' is %s", what,
                     named ? TF_WORD(bson_iter_utf8(&id, NULL)) : "without an id", row->path,
                     found ? "not of its form" : "missing");
        return tf_error_hint(err, HINT);
    }
    return true;
}
