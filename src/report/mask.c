#include "report/mask.h"

#include <stdbool.h>
#include <string.h>

#include "base/text.h"

enum { DEEPEST = 256, PATH_MAX_LENGTH = 1024 };

typedef struct {
    const char *const *paths;
    char path[PATH_MAX_LENGTH]; /* of the current field, dotted, without the indexes of arrays */
    int depth;
} masker;

/* Also as a part: p2pk_privkey, wallet_mnemonic. Rather a field too many hidden than one too few. */
static bool is_secret_name(const char *name)
{
    static const char *const parts[] = {"secret", "privkey",  "private_key", "privatekey", "password", "passwd",
                                        "witness", "mnemonic", "nsec",        "preimage",   NULL};
    for (const char *const *part = parts; *part; part++)
        for (const char *at = name; *at; at++)
            if (tf_text_begins(at, *part))
                return true;
    return strcmp(name, "C") == 0;
}

static bool is_masked_path(const masker *m)
{
    for (const char *const *path = m->paths; path && *path; path++)
        if (strcmp(*path, m->path) == 0)
            return true;
    return false;
}

static void mask_fields(masker *m, bson_iter_t *iter, bool array, bool hidden, bson_t *out);

static void mask_nested(masker *m, const bson_iter_t *field, const char *key, int key_length, bool hidden, bson_t *out)
{
    bson_t child;
    bson_iter_t inner;
    bool array = BSON_ITER_HOLDS_ARRAY(field);
    if (m->depth >= DEEPEST || !bson_iter_recurse(field, &inner)) {
        bson_append_utf8(out, key, key_length, "***", 3);
        return;
    }
    m->depth++;
    if (array)
        bson_append_array_begin(out, key, key_length, &child);
    else
        bson_append_document_begin(out, key, key_length, &child);
    mask_fields(m, &inner, array, hidden, &child);
    if (array)
        bson_append_array_end(out, &child);
    else
        bson_append_document_end(out, &child);
    m->depth--;
}

/* False where the path has no room: then nothing is known about the field, and it is hidden. */
static bool enter(masker *m, size_t length, const char *key, size_t key_length)
{
    if (length + key_length + 2 > sizeof m->path)
        return false;
    if (length)
        m->path[length++] = '.';
    memcpy(m->path + length, key, key_length + 1);
    return true;
}

static void mask_fields(masker *m, bson_iter_t *iter, bool array, bool hidden, bson_t *out)
{
    size_t length = strlen(m->path);
    while (bson_iter_next(iter)) {
        const char *key = bson_iter_key(iter);
        uint32_t key_length = bson_iter_key_len(iter);
        bool secret = hidden;
        if (!array)
            secret = hidden || is_secret_name(key) || !enter(m, length, key, key_length) || is_masked_path(m);
        if (BSON_ITER_HOLDS_DOCUMENT(iter) || BSON_ITER_HOLDS_ARRAY(iter))
            mask_nested(m, iter, key, (int)key_length, secret, out);
        else if (secret)
            bson_append_utf8(out, key, (int)key_length, "***", 3);
        else
            bson_append_iter(out, key, (int)key_length, iter);
        m->path[length] = '\0';
    }
}

void tf_mask_document(const bson_t *doc, const char *const *paths, bson_t *out)
{
    masker m = {.paths = paths};
    bson_iter_t iter;
    if (bson_iter_init(&iter, doc))
        mask_fields(&m, &iter, false, false, out);
}
