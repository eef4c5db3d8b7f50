/* Chains of events made here, without the store: as it writes them, and as somebody would forge them. */
#ifndef TF_TESTS_TRAIL_H
#define TF_TESTS_TRAIL_H

#include "base/hash.h"
#include "base/key.h"
#include "store/event.h"

#include <tokenfix/cleanup.h>

enum { TF_LINKS = 12 };

typedef struct tf_links {
    bson_t *events[TF_LINKS];
    size_t count;
} tf_links;

static inline void tf_links_done(tf_links *links)
{
    for (size_t i = 0; i < links->count; i++)
        bson_destroy(links->events[i]);
    links->count = 0;
}

#define TF_LINKS_CLEANUP _cleanup_(tf_links_done)

/* Puts hash and signature (signer NULL: none) behind an event's content, which is consumed. */
static inline bson_t *tf_link_seal(bson_t *content, const tf_key *signer, uint8_t hash[32])
{
    uint8_t signature[TF_SIGNATURE_SIZE];
    if (signer)
        BSON_APPEND_BINARY(content, "key", BSON_SUBTYPE_BINARY, tf_key_fingerprint(signer), TF_FINGERPRINT_SIZE);
    tf_sha256_of(bson_get_data(content), content->len, hash);
    BSON_APPEND_BINARY(content, "hash", BSON_SUBTYPE_BINARY, hash, 32);
    if (signer) {
        tf_key_sign(signer, hash, signature);
        BSON_APPEND_BINARY(content, "signature", BSON_SUBTYPE_BINARY, signature, sizeof signature);
    }
    return content;
}

/* An event with something of every kind that events hold. */
static inline bson_t *tf_link_content(int64_t seq, int64_t at, const char *type, const char *run, const uint8_t *previous)
{
    bson_t *doc = BCON_NEW("_id", BCON_INT64(seq), "id", "0123456789abcdef0123456789abcdef", "type", BCON_UTF8(type), "at", BCON_DATE_TIME(at),
                           "db", "wallet", "run", BCON_UTF8(run), "user", "ann\xc3\xa9 \"the\" \\ admin\n", "host", "db\t1", "pid",
                           BCON_INT64(4242), "database_user", "tokenfix@admin");
    BCON_APPEND(doc, "options", "{", "nice", BCON_DOUBLE(0.1), "again", BCON_BOOL(false), "canary", BCON_INT64(INT64_MAX), "third",
                BCON_DOUBLE(1.0 / 3), "whole", BCON_DOUBLE(5), "}", "data", "{", "percent", BCON_INT32(10 * (int32_t)seq), "list", "[", "{",
                "n", BCON_INT32(0), "hash", BCON_BIN(BSON_SUBTYPE_BINARY, (const uint8_t *)"\0\1\2\xff", 4), "}", "]", "nothing", BCON_NULL,
                "empty", "{", "}", "}");
    if (previous)
        BSON_APPEND_BINARY(doc, "previous", BSON_SUBTYPE_BINARY, previous, 32);
    return doc;
}

/* `count` events from number `first` on behind `previous` (NULL: none), a day apart from `at`; those from index `from` on signed. */
static inline void tf_links_make(tf_links *links, size_t count, int64_t first, const uint8_t *previous, int64_t at, const tf_key *signer, size_t from)
{
    uint8_t hash[32];
    links->count = count;
    if (previous)
        memcpy(hash, previous, 32);
    for (size_t i = 0; i < count; i++) {
        bson_t *content = tf_link_content(first + (int64_t)i, at + (int64_t)i * 86400000, "progress", "20200101t000000-004-aaaaaa",
                                          i || previous ? hash : NULL);
        links->events[i] = tf_link_seal(content, i >= from ? signer : NULL, hash);
    }
}

#endif
