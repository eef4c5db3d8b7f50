/* Several workers do what one does: the same documents, the same backup, the same balances. */
#include "support/documents.h"
#include "support/tokens.h"

enum { TOKENS = 3000, WORKERS = 4 };

static const char *const counts[WORKERS] = {"1", "2", "4", "8"};

/* _ids of mixed types, most of them in a small part of the range; more accounts than one reply of the server holds. */
static void insert_skewed(tf_fixture *f)
{
    for (int done = 0; done < TOKENS;) {
        char *json = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&json, &size);
        for (int n = 0; n < 500; n++, done++) {
            char id[64];
            switch (done % 10) {
            case 0: snprintf(id, sizeof id, "\"s%d\"", done); break;
            case 1: snprintf(id, sizeof id, "{\"$oid\": \"65a0%020d\"}", done); break;
            case 2: snprintf(id, sizeof id, "{\"k\": %d}", done); break;
            default: snprintf(id, sizeof id, "%d", done);
            }
            fprintf(out,
                    "%s{\"_id\": %s, \"npub\": \"npub%d\", \"mint_url\": \"m\", \"total_amount\": %d, \"status\": \"%s\","
                    " \"transaction_type\": \"melted\", \"spent_at\": null, \"createdAt\": {\"$date\": \"2024-01-02T03:04:05Z\"}}",
                    n ? "," : "[", id, done % 397, 1 + done % 100, done % 3 ? "unspent" : "spent");
        }
        fputs("]", out);
        fclose(out);
        tf_fixture_insert(f, "cashu_tokens", json);
        free(json);
    }
}

static void add_hash(tf_fixture *f, const char *db, const char *collection, const char *pipeline, char *into, size_t size)
{
    char json[1024];
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *from = tf_documents_in(f, db, collection);
    snprintf(json, sizeof json, "{\"pipeline\": %s}", pipeline);
    _cleanup_(bson_destroyp) bson_t *stages = bson_new_from_json((const uint8_t *)json, -1, NULL);
    assert_non_null(stages);
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor =
        mongoc_collection_aggregate(from, MONGOC_QUERY_NONE, stages, NULL, NULL);
    uint64_t hash = 14695981039346656037ULL;
    const bson_t *doc;
    int n = 0;
    for (; mongoc_cursor_next(cursor, &doc); n++)
        for (uint32_t i = 0; i < doc->len; i++)
            hash = (hash ^ bson_get_data(doc)[i]) * 1099511628211ULL;
    bson_error_t error;
    if (mongoc_cursor_error(cursor, &error))
        fail_msg("%s: %s", collection, error.message);
    assert_true(n > 0);
    snprintf(into + strlen(into), size - strlen(into), "%.6s %d %016llx; ", collection, n, (unsigned long long)hash);
}

/* What a run left: the tokens but for the run's own time, the backup as it is, the ledger's rows. */
static void describe(tf_fixture *f, const char *run, char *into, size_t size)
{
    char backup[128], rows[768];
    snprintf(backup, sizeof backup, "backup_%s", run);
    snprintf(rows, sizeof rows,
             "[{\"$match\": {\"run\": \"%s\"}}, {\"$project\": {\"_id\": 0, \"owner\": \"$_id.owner\","
             " \"before\": {\"$sortArray\": {\"input\": \"$before\", \"sortBy\": {\"status\": 1}}},"
             " \"moved\": {\"$sortArray\": {\"input\": \"$moved\", \"sortBy\": {\"from\": 1}}},"
             " \"after\": {\"$sortArray\": {\"input\": \"$after\", \"sortBy\": {\"status\": 1}}}}},"
             " {\"$unset\": \"after.since\"}, {\"$sort\": {\"owner\": 1}}]", run);
    *into = '\0';
    add_hash(f, f->db, "cashu_tokens",
             "[{\"$sort\": {\"_id\": 1}}, {\"$set\": {\"updatedAt\": 0, \"updated_at\": 0, \"spent_at\": {\"$type\": \"$spent_at\"}}}]", into, size);
    add_hash(f, f->state_db, backup, "[{\"$sort\": {\"_id\": 1}}]", into, size);
    add_hash(f, f->state_db, "ledger", rows, into, size);
}

static void leave_the_same(tf_fixture *f, const char *strategy)
{
    char first[512] = "", before[256] = "", now[512];
    insert_skewed(f);
    add_hash(f, f->db, "cashu_tokens", "[{\"$sort\": {\"_id\": 1}}]", before, sizeof before);
    for (int w = 0; w < WORKERS; w++) {
        tf_program *p = tf_up(f, "--strategy", strategy, "--workers", counts[w], "--batch-size", "20");
        assert_exit(p, 0);
        assert_int_equal(tf_program_number(p, "data.affectedTokens"), TOKENS / 3 * 2);
        assert_true(tf_fixture_count(f, f->state_db, "partitions", "{}") >= 16);
        describe(f, tf_program_text(p, "data.run"), now, sizeof now);
        if (w == 0)
            snprintf(first, sizeof first, "%s", now);
        assert_string_equal(now, first);
        p = tf_program_run(f, "verify", "--json", "--workers", counts[w], NULL);
        assert_exit(p, 0);
        assert_int_equal(tf_program_number(p, "data.equal"), TOKENS / 3 * 2);
        assert_exit(tf_down(f, "--workers", counts[w], "--batch-size", "30"), 0);
        *now = '\0';
        add_hash(f, f->db, "cashu_tokens", "[{\"$sort\": {\"_id\": 1}}]", now, sizeof now);
        assert_string_equal(now, before);
        assert_exit(tf_program_run(f, "verify", "--json", "--workers", counts[w], NULL), 0);
    }
}

static void workers__of_any_number_leave_the_same_with_transactions(void **state)
{
    leave_the_same(*state, "transaction");
}

static void workers__of_any_number_leave_the_same_with_a_journal(void **state)
{
    leave_the_same(*state, "journal");
}

/* One worker meets the document that the server refuses; the others' batches are given back too. */
static void workers__are_all_rolled_back_when_one_is_refused(void **state)
{
    tf_fixture *f = *state;
    insert_skewed(f);
    bson_destroy(tf_fixture_command(f, "{\"collMod\": \"cashu_tokens\", \"validator\": {\"$nor\": [{\"_id\": 2999,"
                                       " \"status\": \"spent\"}]}}"));
    tf_tokens_update(f, "{\"_id\": 2999}", "{\"$set\": {\"status\": \"unspent\"}}");
    char before[256] = "", after[256] = "";
    add_hash(f, f->db, "cashu_tokens", "[{\"$sort\": {\"_id\": 1}}]", before, sizeof before);
    tf_program *p = tf_up(f, "--workers", "4", "--batch-size", "20");
    assert_exit(p, 6);
    add_hash(f, f->db, "cashu_tokens", "[{\"$sort\": {\"_id\": 1}}]", after, sizeof after);
    assert_string_equal(before, after);
    assert_true(tf_fixture_count(f, f->state_db, "batches", "{\"counts.applied\": {\"$gt\": 0}}") > 0);
}

/* Every session that writes is noted, and they are not one. */
static void workers__have_a_session_each(void **state)
{
    tf_fixture *f = *state;
    insert_skewed(f);
    assert_exit(tf_up(f, "--workers", "4", "--batch-size", "20"), 0);
    char json[256];
    snprintf(json, sizeof json, "[{\"$group\": {\"_id\": \"$lsid\"}}]");
    char text[256] = "";
    add_hash(f, f->state_db, "partitions", json, text, sizeof text);
    int sessions = 0;
    assert_int_equal(sscanf(text, "partit %d", &sessions), 1);
    assert_in_range(sessions, 2, 4);
}

/* Workers and heartbeat take clients of one pool; its size is not the operator's to choose. */
static void workers__need_no_leave_of_a_small_pool(void **state)
{
    tf_fixture *f = *state;
    char uri[sizeof f->uri + 32];
    insert_skewed(f);
    snprintf(uri, sizeof uri, "%s&maxPoolSize=1", f->uri);
    const char *const argv[] = {"up", "--confirm", "--yes", "--json", "--workers", "4", "--batch-size", "20", NULL};
    tf_program *p = tf_program_exec(f, &(tf_program_options){.argv = argv, .uri = uri});
    assert_false(p->timed_out);
    assert_exit(p, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(workers__of_any_number_leave_the_same_with_transactions),
        TF_FIXTURE_TEST(workers__of_any_number_leave_the_same_with_a_journal),
        TF_FIXTURE_TEST(workers__are_all_rolled_back_when_one_is_refused),
        TF_FIXTURE_TEST(workers__have_a_session_each),
        TF_FIXTURE_TEST(workers__need_no_leave_of_a_small_pool),
    };
    return cmocka_run_group_tests_name("workers", tests, NULL, NULL);
}
