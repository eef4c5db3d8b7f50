/*
 * A batch that is too large for the server's cache (0.25 GB): it can never succeed, whether the server calls it a write conflict
 * (112, "transient") or says what it is (388). The run finishes by halving.
 */
#include "fault/fault.h"
#include "support/documents.h"

/* Two indexes on the status and 1,000 keys of each document: an update of a batch of 2 MB writes some 100 MB into the cache. */
enum { DOCUMENTS = 150, KEYS = 1000 };

static void seed(tf_fixture *f)
{
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *into = fault_collection(f, f->db, "cashu_tokens");
    bson_error_t error;
    for (int i = 0; i < DOCUMENTS; i++) {
        _cleanup_(bson_destroyp) bson_t *doc =
            BCON_NEW("_id", BCON_INT32(i), "npub", "npub1anna", "mint_url", "https://mint", "total_amount", BCON_INT32(10), "status",
                     "unspent", "transaction_type", "melted", "spent_at", BCON_NULL);
        bson_t keys;
        BSON_APPEND_ARRAY_BEGIN(doc, "keys", &keys);
        for (uint32_t k = 0; k < KEYS; k++) {
            char name[16], value[8];
            snprintf(name, sizeof name, "%u", k);
            snprintf(value, sizeof value, "%04u", k);
            BSON_APPEND_UTF8(&keys, name, value);
        }
        bson_append_array_end(doc, &keys);
        if (!mongoc_collection_insert_one(into, doc, NULL, NULL, &error))
            fail_msg("%s", error.message);
    }
    bson_destroy(tf_fixture_command(f, "{\"createIndexes\": \"cashu_tokens\", \"indexes\": [{\"key\": {\"status\": 1, \"keys\": 1},"
                                       " \"name\": \"a\"}, {\"key\": {\"status\": 1, \"keys\": 1, \"npub\": 1}, \"name\": \"b\"}]}"));
}

/* From which part of the cache on a transaction is told that it is too large; more than all of it: never. */
static void set_threshold(tf_fixture *f, double threshold)
{
    _cleanup_(bson_destroyp) bson_t *command =
        BCON_NEW("setParameter", BCON_INT32(1), "transactionTooLargeForCacheThreshold", BCON_DOUBLE(threshold));
    bson_error_t error;
    if (!mongoc_client_command_simple(f->client, "admin", command, NULL, NULL, &error))
        fail_msg("%s", error.message);
}

static int lines_of_log(const tf_sandbox *sandbox, const char *text)
{
    char path[4200], *line = NULL;
    size_t size = 0;
    int count = 0;
    snprintf(path, sizeof path, "%s/node0.log", sandbox->folder);
    FILE *log = fopen(path, "re");
    assert_non_null(log);
    while (getline(&line, &size, log) > 0)
        count += strstr(line, text) != NULL;
    free(line);
    fclose(log);
    return count;
}

static void assert_halved(const tf_program *p, const tf_sandbox *sandbox, const char *error, int before)
{
    assert_exit(p, 0);
    if (lines_of_log(sandbox, error) == before)
        fail_msg("the server never said %s: %s", error, p->out);
    assert_true(tf_program_number(p, "data.batches") >= 2); /* it would have been one */
}

static void check(tf_fixture *f, const tf_docs *before)
{
    char name[96];
    TF_DOCS saved = {0};
    _cleanup_(bson_destroyp) bson_t *up = fault_newest(f, "up");
    snprintf(name, sizeof name, "backup_%s", fault_text(up, "_id"));
    tf_documents_read(f, f->state_db, name, &saved);
    tf_documents_same(&saved, before, "backup");
    assert_int_equal(tf_tokens_wrong(f), 0);
    fault_assert_batches(f, fault_text(up, "_id"), DOCUMENTS, 10 * DOCUMENTS);
    fault_assert_proven(f);
}

static void finish_by_halving(tf_fixture *f, tf_sandbox *sandbox, tf_series *s, double threshold, const char *error)
{
    while (tf_series_next(s)) {
        TF_DOCS before = {0}, after = {0};
        fault_clear(f);
        fault_workers = s->workers;
        set_threshold(f, threshold);
        seed(f);
        tf_documents_read(f, NULL, "cashu_tokens", &before);
        int logged = lines_of_log(sandbox, error);
        assert_halved(fault_exec(f, "up", NULL, fault_words("--batch-size", "1000")), sandbox, error, logged);
        check(f, &before);
        logged = lines_of_log(sandbox, error);
        if (!tf_series_is_full())
            continue;
        assert_halved(fault_exec(f, "down", NULL, fault_words("--batch-size", "1000")), sandbox, error, logged);
        tf_documents_read(f, NULL, "cashu_tokens", &after);
        tf_documents_same(&after, &before, "given back");
        fault_assert_proven(f);
    }
}

static void too_large__is_halved_whatever_the_server_calls_it(void **state)
{
    tf_fixture *f = *state;
    static tf_sandbox sandbox;
    tf_fixture_own_server(f, (tf_sandbox_options){.nodes = 1}, &sandbox);
    tf_series s = tf_series_begin("code_388", "batch too large for a cache of 0.25 GB, code 388: finishes by halving", 1, 4);
    finish_by_halving(f, &sandbox, &s, 0.1, "TransactionTooLargeForCache");
    s = tf_series_begin("code_112", "batch too large for a cache of 0.25 GB, code 112: finishes by halving", 1, 4);
    finish_by_halving(f, &sandbox, &s, 1.0, "\"errName\":\"WriteConflict\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {TF_FIXTURE_OWN_TEST(too_large__is_halved_whatever_the_server_calls_it)};
    return cmocka_run_group_tests_name("too large", tests, NULL, NULL);
}
