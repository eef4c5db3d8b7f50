/* The rows that `tokenfix validate --json` prints, and a database that passes. */
#ifndef TF_TESTS_CHECKS_H
#define TF_TESTS_CHECKS_H

#include "support/fixture.h"

#include <stdio.h>
#include <string.h>

#define TF_CHECKS_TOKEN                                                                                                \
    "{\"npub\": \"npub1a\", \"wallet_id\": 1, \"proofs\": [], \"mint_url\": \"https://m\", \"total_amount\": 8,"            \
    " \"status\": \"unspent\", \"transaction_type\": \"melted\", \"transaction_id\": \"t\"}"

static inline void tf_checks_fill(tf_fixture *f)
{
    tf_fixture_insert(f, "cashu_tokens", TF_CHECKS_TOKEN);
    tf_fixture_insert(f, "cashu_wallets", "{\"npub\": \"npub1a\", \"mint_url\": \"https://m\"}");
}

/* `validate --json` with this URI. */
static inline tf_program *tf_checks_run(tf_fixture *f, const char *uri)
{
    const char *const argv[] = {"validate", "--json", NULL};
    return tf_program_exec(f, &(tf_program_options){.argv = argv, .uri = uri});
}

typedef struct tf_check {
    char state[16], message[512], hint[512];
} tf_check;

static inline void tf_check_text(const bson_t *doc, const char *key, char *into, size_t size)
{
    bson_iter_t iter;
    assert_true(bson_iter_init_find(&iter, doc, key) && BSON_ITER_HOLDS_UTF8(&iter));
    snprintf(into, size, "%s", bson_iter_utf8(&iter, NULL));
}

/* The row `name` of data.checks; fails the test where there is none. Each row has exactly its four fields. */
static inline tf_check tf_check_of(const tf_program *p, const char *name)
{
    bson_iter_t iter, list, row;
    tf_check found = {0};
    if (!p->json)
        fail_msg("no JSON: %s %s", p->out, p->err);
    assert_true(bson_iter_init(&iter, p->json) && bson_iter_find_descendant(&iter, "data.checks", &list));
    assert_true(bson_iter_recurse(&list, &row));
    while (bson_iter_next(&row)) {
        const uint8_t *data = NULL;
        uint32_t length = 0;
        bson_t doc;
        char called[64];
        bson_iter_document(&row, &length, &data);
        assert_true(bson_init_static(&doc, data, length));
        assert_int_equal(bson_count_keys(&doc), 4);
        tf_check_text(&doc, "name", called, sizeof called);
        if (strcmp(called, name) != 0)
            continue;
        tf_check_text(&doc, "state", found.state, sizeof found.state);
        tf_check_text(&doc, "message", found.message, sizeof found.message);
        tf_check_text(&doc, "hint", found.hint, sizeof found.hint);
        return found;
    }
    fail_msg("there is no check '%s' in %s", name, p->out);
    return found;
}

/* That row has this state and says this; what failed has a hint. */
static inline void tf_check_expect(const tf_program *p, const char *name, const char *state, const char *message)
{
    tf_check found = tf_check_of(p, name);
    if (strcmp(found.state, state) != 0 || !strstr(found.message, message))
        fail_msg("%s: expected %s '%s', found %s '%s'", name, state, message, found.state, found.message);
    if (strcmp(state, "failed") == 0)
        assert_true(found.hint[0]);
}

#endif
