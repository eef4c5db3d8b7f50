/* A few tokens with known ids, users and amounts, for tests of the commands. */
#ifndef TF_TESTS_TOKENS_H
#define TF_TESTS_TOKENS_H

#include "support/fixture.h"

#include <tokenfix/bson.h>
#include <stdio.h>

/* Inserts the tokens with the _ids from `first` on, each melted, of 10 sat, with a secret in its proofs. `status`:
 * "unspent" is the defect. */
static inline void tf_tokens_insert(tf_fixture *f, int first, int count, const char *npub, const char *status)
{
    for (int done = 0; done < count;) {
        char *json = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&json, &size);
        for (int n = 0; n < 500 && done < count; n++, done++)
            fprintf(out,
                    "%s{\"_id\": %d, \"npub\": \"%s\", \"mint_url\": \"https://mint\", \"total_amount\": 10,"
                    " \"status\": \"%s\", \"transaction_type\": \"melted\", \"spent_at\": null,"
                    " \"proofs\": [{\"id\": \"k\", \"amount\": 8, \"secret\": \"s3cr3t%d\", \"C\": \"02ab\"}],"
                    " \"createdAt\": {\"$date\": \"2024-01-02T03:04:05Z\"},"
                    " \"updatedAt\": {\"$date\": \"2024-01-02T03:04:05Z\"}}",
                    n ? "," : "[", first + done, npub, status, first + done);
        fputs("]", out);
        fclose(out);
        tf_fixture_insert(f, "cashu_tokens", json);
        free(json);
    }
}

/* `count` defects of one user and two sound tokens. */
static inline void tf_tokens_fill(tf_fixture *f, int count)
{
    tf_tokens_insert(f, 1, count, "npub1anna", "unspent");
    tf_tokens_insert(f, 100001, 2, "npub1bert", "spent");
}

/* The same, and the program runs under the least role. */
static inline void tf_tokens_sample(tf_fixture *f, int count)
{
    tf_fixture_least(f, "cashu_tokens", NULL);
    tf_tokens_fill(f, count);
}

/* Changes one document from outside, as the application would: `update` is Extended JSON. */
static inline void tf_tokens_update(tf_fixture *f, const char *filter, const char *update)
{
    char json[1024];
    snprintf(json, sizeof json, "{\"update\": \"cashu_tokens\", \"updates\": [{\"q\": %s, \"u\": %s}]}", filter,
             update);
    bson_destroy(tf_fixture_command(f, json));
}

static inline void tf_tokens_delete(tf_fixture *f, const char *filter)
{
    char json[1024];
    snprintf(json, sizeof json, "{\"delete\": \"cashu_tokens\", \"deletes\": [{\"q\": %s, \"limit\": 0}]}", filter);
    bson_destroy(tf_fixture_command(f, json));
}

/* How many are still defective. */
static inline int64_t tf_tokens_wrong(tf_fixture *f)
{
    return tf_fixture_count(f, NULL, "cashu_tokens", "{\"transaction_type\": \"melted\", \"status\": \"unspent\"}");
}

/* How many are as they were inserted. */
static inline int64_t tf_tokens_original(tf_fixture *f)
{
    return tf_fixture_count(f, NULL, "cashu_tokens",
                            "{\"spent_at\": null, \"updatedAt\": {\"$date\": \"2024-01-02T03:04:05Z\"}}");
}

static inline int64_t tf_runs(tf_fixture *f)
{
    return tf_fixture_count(f, f->state_db, "runs", "{}");
}

static inline int64_t tf_batches(tf_fixture *f)
{
    return tf_fixture_count(f, f->state_db, "batches", "{}");
}

#define tf_up(f, ...) tf_program_run((f), "up", "--confirm", "--yes", "--json", ##__VA_ARGS__, NULL)
/* An `up` of the 10 + 10 + 5 that are there, in one partition of three batches: two canaries and the rest. */
#define tf_up_in_three(f, ...)                                                                                         \
    ({                                                                                                                 \
        tf_program *tf_first = tf_up(f, "--canary", "10", ##__VA_ARGS__);                                              \
        assert_exit(tf_first, 7);                                                                                      \
        assert_exit(tf_up(f, "--resume", "--canary", "10"), 7);                                                        \
        tf_program *tf_last = tf_up(f, "--resume");                                                                    \
        assert_exit(tf_last, 0);                                                                                       \
        assert_int_equal(tf_program_number(tf_last, "data.batches"), 3);                                               \
        assert_int_equal(tf_fixture_count(f, f->state_db, "partitions", "{}"), 1);                                     \
        tf_last;                                                                                                       \
    })

#define tf_down(f, ...) tf_program_run((f), "down", "--confirm", "--yes", "--json", ##__VA_ARGS__, NULL)

/* Its exit status, with all it said where it is another. */
#define assert_exit(p, expected)                                                                                       \
    do {                                                                                                               \
        const tf_program *tf_p = (p);                                                                                  \
        if (tf_p->status != (expected))                                                                                \
            fail_msg("exit %d instead of %d: %s\n%s", tf_p->status, (expected), tf_p->out, tf_p->err);                 \
    } while (0)

#define assert_has(text, part)                                                                                         \
    do {                                                                                                               \
        if (!(text) || !strstr((text), (part)))                                                                        \
            fail_msg("no '%s' in: %s", (part), (text) ? (text) : "(nothing)");                                         \
    } while (0)

#define assert_has_not(text, part)                                                                                     \
    do {                                                                                                               \
        if ((text) && strstr((text), (part)))                                                                          \
            fail_msg("'%s' in: %s", (part), (text));                                                                   \
    } while (0)

#endif
