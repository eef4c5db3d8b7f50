/* Sound tokens with their wallets, and what an audit reports about them. */
#ifndef TF_TESTS_AUDITS_H
#define TF_TESTS_AUDITS_H

#include "support/tokens.h"

static const char *const tf_audits_checks[] = {"melted_unspent", "duplicate_secret", "secret_reuse",        "orphaned_token",
                                               "amount_mismatch", "invalid_amount",  "missing_source",      "status_inconsistent",
                                               "negative_balance", "balance_discrepancy", NULL};

/* Inserts tokens 1 to count without any defect: unspent, received, 8 sat, of npub1b and npub1a by turns, with their wallets. */
static inline void tf_audits_sound(tf_fixture *f, int count)
{
    char *json = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&json, &size);
    for (int n = 1; n <= count; n++)
        fprintf(out,
                "%s{\"_id\": %d, \"npub\": \"npub1%c\", \"wallet_id\": %d, \"mint_url\": \"https://mint\", \"total_amount\": 8,"
                " \"status\": \"unspent\", \"transaction_type\": \"received\", \"transaction_id\": \"t%d\", \"spent_at\": null,"
                " \"metadata\": {\"source\": \"p2p\"},"
                " \"proofs\": [{\"id\": \"k\", \"amount\": 8, \"secret\": \"s3cr3t%d\", \"C\": \"02ab\"}],"
                " \"createdAt\": {\"$date\": \"2024-01-02T03:04:05Z\"}, \"updatedAt\": {\"$date\": \"2024-01-02T03:04:05Z\"}}",
                n > 1 ? "," : "[", n, n % 2 ? 'a' : 'b', n % 2 + 1, n, n);
    fputs("]", out);
    fclose(out);
    tf_fixture_insert(f, "cashu_tokens", json);
    tf_fixture_insert(f, "cashu_wallets", "[{\"_id\": 1, \"npub\": \"npub1b\", \"p2pk_privkey\": \"pr1vk3y\"}, {\"_id\": 2, \"npub\": \"npub1a\"}]");
    free(json);
}

static inline void tf_audits_update(tf_fixture *f, const char *query, const char *pipeline)
{
    char json[2048];
    snprintf(json, sizeof json, "{\"update\": \"cashu_tokens\", \"updates\": [{\"q\": %s, \"u\": %s, \"multi\": true}]}", query, pipeline);
    bson_destroy(tf_fixture_command(f, json));
}

static inline void tf_audits_clear(tf_fixture *f)
{
    bson_destroy(tf_fixture_command(f, "{\"delete\": \"cashu_tokens\", \"deletes\": [{\"q\": {}, \"limit\": 0}]}"));
    bson_destroy(tf_fixture_command(f, "{\"delete\": \"cashu_wallets\", \"deletes\": [{\"q\": {}, \"limit\": 0}]}"));
}

/* The count of the issue of this type, 0 where there is none. */
static inline int64_t tf_audits_count(const tf_program *p, const char *check)
{
    for (int i = 0;; i++) {
        char path[64];
        snprintf(path, sizeof path, "data.issues.%d.type", i);
        if (!tf_program_has(p, path))
            return 0;
        if (strcmp(tf_program_text(p, path), check) != 0)
            continue;
        snprintf(path, sizeof path, "data.issues.%d.count", i);
        return tf_program_number(p, path);
    }
}

#endif
