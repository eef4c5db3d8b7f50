/*
 * A hostile or damaged state database: one field of one of the tool's own records is gone, or holds what was never written there.
 * Whatever command meets it ends with a status and one JSON object; it does not crash, hang or lose a document.
 */
#include "base/docs.h"
#include "fault/fault.h"
#include "support/mutate.h"

#ifdef TF_FAILPOINTS

enum { TOKENS = 12, COLLECTIONS = 8, WORDS = 8 };

typedef struct stored {
    const char *db;
    char name[128];
    tf_docs docs;
} stored;

/* What stands in both databases after a preparation, and the commands that are tried on it. */
typedef struct scene {
    const char *name;
    bool (*prepare)(tf_fixture *f);
    const char *commands[6][WORDS];
    stored collections[COLLECTIONS];
    size_t count;
} scene;

static int run(tf_fixture *f, const char *failpoint, const char *const *argv, tf_program **program)
{
    char variable[128];
    snprintf(variable, sizeof variable, "TOKENFIX_FAILPOINT=%s", failpoint ? failpoint : "");
    const char *const env[] = {variable, "TOKENFIX_TXN_BUDGET_MS=1000", NULL};
    tf_program *p = tf_program_exec(f, &(tf_program_options){.argv = argv, .env = env, .timeout_s = 90});
    if (program)
        *program = p;
    return p->status;
}

#define RUN(f, failpoint, ...) run(f, failpoint, (const char *const[]){__VA_ARGS__, NULL}, NULL)

static bool completed(tf_fixture *f)
{
    return RUN(f, NULL, "up", "--confirm", "--yes", "--batch-size", "5") == 0;
}

static bool taken_back(tf_fixture *f)
{
    return completed(f) && RUN(f, NULL, "down", "--confirm", "--yes") == 0;
}

static bool interrupted(tf_fixture *f)
{
    return RUN(f, "up.journal.before_record=kill@2", "up", "--confirm", "--yes", "--batch-size", "5", "--strategy", "journal") == 137;
}

static bool interrupted_down(tf_fixture *f)
{
    return completed(f) && RUN(f, "down.journal.after_write=kill", "down", "--confirm", "--yes", "--strategy", "journal") == 137;
}

static scene scenes[] = {
    {.name = "a completed up",
     .prepare = completed,
     .commands = {{"status", "--json"},
                  {"verify", "--json"},
                  {"history", "004", "--json"},
                  {"down", "--confirm", "--yes", "--json"},
                  {"up", "--again", "--confirm", "--yes", "--json"}}},
    {.name = "an interrupted up",
     .prepare = interrupted,
     .commands = {{"up", "--resume", "--take-over", "--confirm", "--yes", "--json"},
                  {"down", "--take-over", "--confirm", "--yes", "--json"},
                  {"verify", "004", "--json"},
                  {"validate", "--json"}}},
    {.name = "an up taken back",
     .prepare = taken_back,
     .commands = {{"verify", "--json"}, {"history", "004", "--json"}, {"status", "--json"}}},
    {.name = "an interrupted down",
     .prepare = interrupted_down,
     .commands = {{"down", "--resume", "--take-over", "--confirm", "--yes", "--json"}, {"history", "004", "--json"}}},
};
enum { SCENES = sizeof scenes / sizeof *scenes };

static mongoc_collection_t *collection_of(tf_fixture *f, const stored *s)
{
    return mongoc_client_get_collection(f->client, s->db, s->name);
}

static void keep_collection(tf_fixture *f, scene *s, const char *db, const char *name)
{
    stored *to = &s->collections[s->count++];
    _cleanup_bson_ bson_t all = BSON_INITIALIZER;
    const bson_t *doc = NULL;
    assert_true(s->count <= COLLECTIONS);
    to->db = db;
    snprintf(to->name, sizeof to->name, "%s", name);
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *collection = collection_of(f, to);
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, &all, NULL, NULL);
    while (mongoc_cursor_next(cursor, &doc))
        tf_docs_add(&to->docs, doc);
    assert_false(mongoc_cursor_error(cursor, NULL));
}

/* The repaired collection is the first. */
static void keep(tf_fixture *f, scene *s)
{
    _cleanup_(mongoc_database_destroyp) mongoc_database_t *db = mongoc_client_get_database(f->client, f->state_db);
    char **names = mongoc_database_get_collection_names_with_opts(db, NULL, NULL);
    keep_collection(f, s, f->db, "cashu_tokens");
    for (char **name = names; *name; name++)
        if (strncmp(*name, "system.", 7) != 0)
            keep_collection(f, s, f->state_db, *name);
    bson_strfreev(names);
}

static void insert(mongoc_collection_t *collection, const bson_t *doc)
{
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("validate", BCON_BOOL(false));
    bson_error_t error;
    mongoc_collection_insert_one(collection, doc, opts, NULL, &error); /* one that the server refuses is a lost one */
}

/* Puts the kept documents back, but for one, which is damaged. */
static void put(tf_fixture *f, const scene *s, const stored *of, size_t which, const bson_t *damaged)
{
    _cleanup_bson_ bson_t all = BSON_INITIALIZER;
    for (size_t i = 0; i < s->count; i++) {
        const stored *from = &s->collections[i];
        _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *collection = collection_of(f, from);
        bson_error_t error;
        if (!mongoc_collection_delete_many(collection, &all, NULL, NULL, &error))
            fail_msg("%s", error.message);
        for (size_t k = 0; k < from->docs.count; k++) {
            bson_t doc;
            tf_docs_view(&from->docs, k, &doc);
            insert(collection, from == of && k == which ? damaged : &doc);
        }
    }
}

static void prepare_all(tf_fixture *f)
{
    for (int i = 0; i < SCENES; i++) {
        fault_clear(f);
        tf_tokens_sample(f, TOKENS);
        if (!scenes[i].prepare(f))
            fail_msg("cannot prepare %s", scenes[i].name);
        keep(f, &scenes[i]);
    }
    fault_clear(f);
}

static size_t commands_of(const scene *s)
{
    size_t n = 0;
    while (n < sizeof s->commands / sizeof *s->commands && s->commands[n][0])
        n++;
    return n;
}

static void check_program(tf_fixture *f, const tf_program *p, const char *what)
{
    if (p->timed_out || p->status < 0 || p->status > 8)
        fail_msg("%s: %s, status %d\n%s\n%s", what, p->timed_out ? "does not end" : "crashes", p->status, p->out, p->err);
    if (!p->json || !bson_has_field(p->json, "success"))
        fail_msg("%s: no JSON: %s\n%s", what, p->out, p->err);
    int64_t left = tf_fixture_count(f, NULL, "cashu_tokens", "{}");
    if (left != TOKENS + 2)
        fail_msg("%s: %lld documents left", what, (long long)left);
}

static void damage_one(tf_fixture *f, const scene *s, tf_random *random)
{
    const stored *of;
    do
        of = &s->collections[1 + tf_random_below(random, s->count - 1)];
    while (of->docs.count == 0);
    size_t which = tf_random_below(random, of->docs.count), way = tf_random_below(random, tf_mutate_ways());
    const char *const *command = s->commands[tf_random_below(random, commands_of(s))];
    bson_t doc;
    _cleanup_bson_ bson_t damaged = BSON_INITIALIZER;
    char what[512], *path = NULL;
    tf_docs_view(&of->docs, which, &doc);
    tf_mutate(&doc, tf_random_below(random, tf_mutate_fields(&doc)), way, &damaged, &path);
    snprintf(what, sizeof what, "'%s' on %s, %s: %s as %s", command[0], s->name, of->name, path, tf_mutate_way(way));
    bson_free(path);
    put(f, s, of, which, &damaged);
    tf_program *p = NULL;
    run(f, NULL, command, &p);
    check_program(f, p, what);
}

static void state__damaged_in_any_field_is_an_error_and_no_crash(void **state)
{
    tf_fixture *f = *state;
    prepare_all(f);
    for (int i = 0; i < SCENES; i++)
        for (size_t k = 0; k < commands_of(&scenes[i]); k++) {
            tf_program *p = NULL;
            put(f, &scenes[i], NULL, 0, NULL);
            int status = run(f, NULL, scenes[i].commands[k], &p);
            check_program(f, p, scenes[i].name);
            if (status != 0 && status != 3)
                fail_msg("'%s' on %s ends with %d: %s", scenes[i].commands[k][0], scenes[i].name, status, p->out);
        }
    tf_series s = tf_series_begin("hostile_state", "one field of the tool's own records damaged: an error, no crash, no hang", 40, 2000);
    while (tf_series_next(&s)) {
        tf_fixture_forget(f);
        damage_one(f, &scenes[s.at % SCENES], &s.random);
    }
    for (int i = 0; i < SCENES; i++)
        for (size_t k = 0; k < scenes[i].count; k++)
            tf_docs_done(&scenes[i].collections[k].docs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TF_FIXTURE_TEST(state__damaged_in_any_field_is_an_error_and_no_crash)};
    return cmocka_run_group_tests_name("hostile_state", tests, NULL, NULL);
}

#else
int main(void)
{
    puts("skipped: built without failpoints");
    return 0;
}
#endif
