/* The collection of audits: what is kept is found again by what it looked at, and nothing of it is ever changed. */
#include "support/role.h"

#include "db/client.h"
#include "store/audit.h"
#include "store/run.h"

static const char *const all[] = {"a", "b", NULL}, *const one[] = {"a", NULL}, *const other[] = {"c", NULL};

static tf_store store_of(tf_fixture *f)
{
    tf_store store;
    tf_store_init(&store, f->client, f->db, f->state_db);
    return store;
}

static bool keep(const tf_store *store, const char *narrowing, const char *const *checks, tf_audit_kept *out, tf_error *err)
{
    bson_t none = BSON_INITIALIZER;
    int64_t now = 0;
    char id[TF_RUN_ID_SIZE];
    if (!tf_client_now(store->client, &now, err))
        return false;
    tf_run_new_id(id, now, "004_example");
    tf_audits_begin(store, id, now, "004_example", narrowing, checks, out);
    BSON_APPEND_ARRAY(out->doc, "findings", &none);
    return tf_audits_insert(store, out, err);
}

static tf_audit_kept kept(const tf_store *store, const char *narrowing, const char *const *checks)
{
    tf_audit_kept out = {0};
    tf_error err = {0};
    struct timespec pause = {.tv_nsec = 2000000}; /* their order is that of the server's milliseconds */
    nanosleep(&pause, NULL);
    if (!keep(store, narrowing, checks, &out, &err))
        fail_msg("%s (%s)", err.message, err.detail);
    return out;
}

/* The id of the newest before a time, or "". */
static const char *newest(const tf_store *store, const char *narrowing, const char *const *checks, int64_t before, char out[TF_RUN_ID_SIZE])
{
    tf_error err = {0};
    tf_audit_kept found = {0};
    int got = tf_audits_newest(store, "004_example", narrowing, checks, before, &found, &err);
    if (got < 0)
        fail_msg("%s", err.message);
    snprintf(out, TF_RUN_ID_SIZE, "%s", got ? found.id : "");
    tf_audit_kept_done(&found);
    return out;
}

#define NEWEST(...) newest(&store, __VA_ARGS__, (char[TF_RUN_ID_SIZE]){0})

static void audits__are_found_by_what_they_looked_at(void **state)
{
    tf_fixture *f = *state;
    tf_store store = store_of(f);
    assert_string_equal(NEWEST("", all, 0), ""); /* nothing is there, not even the collection */
    tf_audit_kept whole = kept(&store, "", all), part = kept(&store, "", one), narrowed = kept(&store, "user=x", all);
    assert_string_equal(NEWEST("", all, 0), whole.id);
    assert_string_equal(NEWEST("", one, 0), part.id);
    assert_string_equal(NEWEST("", NULL, 0), part.id);
    assert_string_equal(NEWEST("", one, part.at), whole.id);
    assert_string_equal(NEWEST("", one, whole.at), "");
    assert_string_equal(NEWEST("", other, 0), "");
    assert_string_equal(NEWEST("user=x", one, 0), narrowed.id);
    assert_string_equal(NEWEST("user=y", one, 0), "");
    tf_store elsewhere = store;
    snprintf(elsewhere.repaired, sizeof elsewhere.repaired, "another");
    tf_audit_kept found = {0};
    tf_error err = {0};
    assert_int_equal(tf_audits_newest(&elsewhere, "004_example", "", NULL, 0, &found, &err), 0);
    assert_int_equal(tf_audits_newest(&store, "005_other", "", NULL, 0, &found, &err), 0);
    tf_audit_kept_done(&whole);
    tf_audit_kept_done(&part);
    tf_audit_kept_done(&narrowed);
}

static void audits__are_listed_newest_first(void **state)
{
    tf_fixture *f = *state;
    tf_store store = store_of(f);
    tf_audit_kept first = kept(&store, "", all), second = kept(&store, "user=x", one), third = kept(&store, "", one);
    tf_op op = tf_store_op(&store, NULL, "read the audits");
    tf_error err = {0};
    mongoc_cursor_t *cursor = tf_audits_list(&store, 2, 1);
    const tf_audit_kept *const expected[] = {&second, &first};
    const bson_t *doc = NULL;
    size_t n = 0;
    while (tf_cursor_next(cursor, &op, &doc, &err) == 1) {
        tf_audit_kept found = {0};
        assert_true(n < 2 && tf_audits_parse(doc, &found, &err));
        assert_string_equal(found.id, expected[n]->id);
        assert_int_equal(found.at, expected[n++]->at);
        tf_audit_kept_done(&found);
    }
    assert_int_equal(n, 2);
    mongoc_cursor_destroy(cursor);
    assert_int_equal(tf_fixture_count(f, f->state_db, "audits", "{\"who.user\": {\"$type\": \"string\"}, \"who.host\": {\"$type\": \"string\"}}"), 3);
    tf_audit_kept_done(&first);
    tf_audit_kept_done(&second);
    tf_audit_kept_done(&third);
}

static void audits__have_their_index(void **state)
{
    tf_fixture *f = *state;
    tf_store store = store_of(f);
    tf_audit_kept first = kept(&store, "", all);
    bson_error_t error;
    bson_t reply;
    bson_iter_t iter, at;
    _cleanup_(bson_destroyp) bson_t *command = BCON_NEW("listIndexes", "audits");
    assert_true(mongoc_client_command_simple(f->client, f->state_db, command, NULL, &reply, &error));
    assert_true(bson_iter_init(&iter, &reply) && bson_iter_find_descendant(&iter, "cursor.firstBatch.1.name", &at));
    assert_string_equal(bson_iter_utf8(&at, NULL), "newest");
    bson_destroy(&reply);
    tf_audit_kept_done(&first);
}

/* Beside the user's own data they have the tool's prefix. */
static void audits__within_the_repaired_database_have_the_prefix(void **state)
{
    tf_fixture *f = *state;
    tf_store store;
    tf_store_init(&store, f->client, f->db, f->db);
    tf_audit_kept first = kept(&store, "", all);
    assert_int_equal(tf_fixture_count(f, NULL, "tokenfix_audits", "{}"), 1);
    assert_string_equal(NEWEST("", all, 0), first.id);
    tf_audit_kept_done(&first);
}

static void audits__that_are_damaged_are_refused_by_name(void **state)
{
    static const struct {
        const char *json, *says;
    } rows[] = {
        {"\"at\": 7, \"narrowing\": \"\", \"checks\": [], \"findings\": []", "'at' is not of its form"},
        {"\"at\": {\"$date\": \"2024-01-02T03:04:05Z\"}, \"narrowing\": \"\", \"findings\": []", "'checks' is missing"},
        {"\"at\": {\"$date\": \"2024-01-02T03:04:05Z\"}, \"narrowing\": \"\", \"checks\": [], \"findings\": {}", "'findings' is not of its form"},
        {"\"at\": {\"$date\": \"2024-01-02T03:04:05Z\"}, \"narrowing\": \"\", \"checks\": [], \"findings\": [], \"alerts\": 1", "'alerts' is not of its form"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char json[512];
        bson_error_t error;
        tf_error err = {0};
        tf_audit_kept out = {0};
        snprintf(json, sizeof json, "{\"_id\": \"x-1\", \"migration\": \"m\", %s}", rows[i].json);
        _cleanup_(bson_destroyp) bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, &error);
        assert_non_null(doc);
        assert_false(tf_audits_parse(doc, &out, &err));
        assert_int_equal(err.code, TF_ERR_DAMAGED);
        if (!strstr(err.message, rows[i].says) || !strstr(err.message, "audit x-1"))
            fail_msg("%s", err.message);
        assert_null(out.doc);
    }
}

/* Who only reads cannot keep, and is told so; the role of an auditor is enough. */
static void audits__are_kept_by_who_may_insert_them(void **state)
{
    tf_fixture *f = *state;
    static const char *const kinds[] = {"audit", "auditor", "run"};
    fill(f);
    for (size_t i = 0; i < 3; i++) {
        char uri[1024];
        tf_error err = {0};
        tf_audit_kept out = {0};
        create_printed_role(f, kinds[i], uri, sizeof uri);
        _cleanup_(mongoc_client_destroyp) mongoc_client_t *client = mongoc_client_new(uri);
        mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2);
        tf_store store;
        tf_store_init(&store, client, f->db, f->state_db);
        bool done = keep(&store, "", all, &out, &err);
        if (done != (i > 0))
            fail_msg("%s: %s %s", kinds[i], err.message, err.detail);
        assert_true(done || err.code == TF_ERR_PERMISSION);
        assert_string_equal(NEWEST("", all, 0), done ? out.id : "");
        tf_audit_kept_done(&out);
    }
    assert_int_equal(tf_fixture_count(f, f->state_db, "audits", "{}"), 2);
}

/* One that is so many days old, by its own word. */
static void plant(tf_fixture *f, const tf_store *store, int days, const char *migration, const char *narrowing, const char *checks, const char *more)
{
    char json[512];
    int64_t now = 0;
    tf_error err = {0};
    static int n;
    assert_true(tf_client_now(store->client, &now, &err));
    snprintf(json, sizeof json,
             "{\"insert\": \"audits\", \"documents\": [{\"_id\": \"old-%d\", \"at\": {\"$date\": {\"$numberLong\": \"%lld\"}}, \"db\": \"%s\","
             " \"migration\": \"%s\", \"narrowing\": \"%s\", \"checks\": %s, \"findings\": []%s}]}",
             ++n, (long long)(now - days * INT64_C(86400000)), f->db, migration, narrowing, checks, more);
    _cleanup_(bson_destroyp) bson_t *command = bson_new_from_json((const uint8_t *)json, -1, NULL);
    bson_error_t error;
    assert_non_null(command);
    if (!mongoc_client_command_simple(f->client, f->state_db, command, NULL, NULL, &error))
        fail_msg("%s", error.message);
}

static int64_t forget(const tf_store *store, int days)
{
    int64_t now = 0, removed = -1;
    tf_error err = {0};
    if (!tf_client_now(store->client, &now, &err) || !tf_audits_forget(store, "004_example", "all", now - days * INT64_C(86400000), &removed, &err))
        fail_msg("%s", err.message);
    return removed;
}

static void audits__that_are_old_are_removed_but_for_what_others_depend_on(void **state)
{
    tf_fixture *f = *state;
    tf_store store = store_of(f);
    static const char ab[] = "[\"a\", \"b\"]", a[] = "[\"a\"]";
    assert_int_equal(forget(&store, 30), 0); /* not even the collection is there */
    plant(f, &store, 400, "004_example", "all", a, "");      /* the newest of these checks: stays */
    plant(f, &store, 410, "004_example", "all", a, "");
    plant(f, &store, 50, "004_example", "all", ab, "");
    plant(f, &store, 60, "004_example", "all", ab, ", \"alerts\": [{\"id\": \"x\"}]"); /* the newest with alerts: stays */
    plant(f, &store, 70, "004_example", "all", ab, ", \"alerts\": []");
    plant(f, &store, 20, "004_example", "all", ab, "");      /* not old */
    plant(f, &store, 10, "004_example", "all", ab, "");
    plant(f, &store, 45, "004_example", "5:npub1", ab, "");  /* of a part: goes, though it is the newest */
    plant(f, &store, 40, "004_example", "all", "[]", ", \"failed\": {\"code\": \"x\"}");
    plant(f, &store, 500, "007_other", "all", ab, "");       /* another migration's */
    assert_int_equal(forget(&store, 30), 5);
    assert_int_equal(tf_fixture_count(f, f->state_db, "audits", "{}"), 5);
    assert_int_equal(tf_fixture_count(f, f->state_db, "audits", "{\"_id\": {\"$in\": [\"old-1\", \"old-4\", \"old-6\", \"old-7\", \"old-10\"]}}"), 5);
    assert_int_equal(forget(&store, 30), 0);
    assert_int_equal(forget(&store, 5), 1); /* of those that are not old any more the newest */
    assert_int_equal(tf_fixture_count(f, f->state_db, "audits", "{\"_id\": \"old-7\"}"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(audits__are_found_by_what_they_looked_at),
        TF_FIXTURE_TEST(audits__are_listed_newest_first),
        TF_FIXTURE_TEST(audits__have_their_index),
        TF_FIXTURE_TEST(audits__within_the_repaired_database_have_the_prefix),
        TF_FIXTURE_TEST(audits__that_are_damaged_are_refused_by_name),
        ROLE_TEST(audits__are_kept_by_who_may_insert_them),
        TF_FIXTURE_TEST(audits__that_are_old_are_removed_but_for_what_others_depend_on),
    };
    return cmocka_run_group_tests_name("audits", tests, NULL, NULL);
}
