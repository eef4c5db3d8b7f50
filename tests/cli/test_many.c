/* Several databases with the same shape: --db repeated, one after the other, one answer, one exit status. */
#include "support/tokens.h"

#include "base/number.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The fixture's database and two beside it. */
typedef struct {
    tf_fixture *f;
    char names[3][64];
    char uri[1024]; /* without a database */
} trio;

static int setup(void **state)
{
    static trio t;
    t = (trio){.f = NULL};
    if (tf_fixture_setup((void **)&t.f) != 0)
        return -1;
    for (size_t i = 0; i < 3; i++)
        snprintf(t.names[i], sizeof t.names[i], "%.50s%s", t.f->db, (const char *const[]){"", "_b", "_c"}[i]);
    *state = &t;
    return 0;
}

static int teardown(void **state)
{
    trio *t = *state;
    for (size_t i = 1; i < 3; i++) {
        char state_db[96];
        snprintf(state_db, sizeof state_db, "%s_tokenfix", t->names[i]);
        const char *const dbs[] = {t->names[i], state_db};
        for (size_t n = 0; n < 2; n++) {
            mongoc_database_t *db = mongoc_client_get_database(t->f->client, dbs[n]);
            mongoc_database_drop(db, NULL);
            mongoc_database_destroy(db);
        }
    }
    return tf_fixture_teardown((void **)&t->f);
}

#define TRIO_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* `count` defects in the i-th database. */
static void fill(trio *t, size_t i, int count)
{
    char own[64];
    snprintf(own, sizeof own, "%s", t->f->db);
    snprintf(t->f->db, sizeof t->f->db, "%s", t->names[i]);
    tf_tokens_fill(t->f, count);
    snprintf(t->f->db, sizeof t->f->db, "%s", own);
}

static int64_t wrong(trio *t, size_t i)
{
    return tf_fixture_count(t->f, t->names[i], "cashu_tokens", "{\"transaction_type\": \"melted\", \"status\": \"unspent\"}");
}

static tf_program *on_all(trio *t, const char *const *env, const char *const *words)
{
    const char *argv[24] = {NULL};
    size_t n = 0;
    for (; *words; words++)
        argv[n++] = *words;
    for (size_t i = 0; i < 3; i++) {
        argv[n++] = "--db";
        argv[n++] = t->names[i];
    }
    return tf_program_exec(t->f, &(tf_program_options){.argv = argv, .env = env});
}

#define ON_ALL(t, ...) on_all((t), NULL, (const char *const[]){__VA_ARGS__, NULL})

static void assert_one(const trio *t, const tf_program *p, size_t i, int status)
{
    char path[64];
    snprintf(path, sizeof path, "data.databases.%zu.db", i);
    assert_string_equal(tf_program_text(p, path), t->names[i]);
    snprintf(path, sizeof path, "data.databases.%zu.exit", i);
    assert_int_equal(tf_program_number(p, path), status);
    snprintf(path, sizeof path, "data.databases.%zu.success", i);
    assert_true(tf_program_flag(p, path) == (status == 0 || status == 3));
}

static void many__are_repaired_proven_and_taken_back_one_after_the_other(void **state)
{
    trio *t = *state;
    for (size_t i = 0; i < 3; i++)
        fill(t, i, (int)(2 + i));
    tf_program *p = ON_ALL(t, "up", "--confirm", "--yes", "--json");
    assert_exit(p, 0);
    assert_true(tf_program_flag(p, "success"));
    assert_int_equal(tf_program_number(p, "data.exit"), 0);
    for (size_t i = 0; i < 3; i++) {
        char path[64];
        assert_one(t, p, i, 0);
        snprintf(path, sizeof path, "data.databases.%zu.data.affectedTokens", i);
        assert_int_equal(tf_program_number(p, path), 2 + (int64_t)i);
        assert_int_equal(wrong(t, i), 0);
    }
    assert_exit(ON_ALL(t, "verify", "--json"), 0);
    p = ON_ALL(t, "ledger", "004", "--format", "json"); /* whose answer is written piece by piece */
    assert_exit(p, 0);
    assert_one(t, p, 2, 0);
    assert_int_equal(tf_program_number(p, "data.databases.2.data.total.repaired"), 40);
    assert_exit(ON_ALL(t, "down", "--confirm", "--yes"), 0);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(wrong(t, i), 2 + (int)i);
}

static void many__of_which_one_fails_do_the_others_all_the_same(void **state)
{
    trio *t = *state;
    fill(t, 0, 2);
    fill(t, 1, 3);
    tf_program *p = ON_ALL(t, "up", "--confirm", "--yes", "--json"); /* the third has no collection */
    assert_exit(p, (int)tf_program_number(p, "data.databases.2.exit"));
    assert_true(p->status != 0);
    assert_one(t, p, 0, 0);
    assert_one(t, p, 1, 0);
    assert_int_equal(wrong(t, 1), 0);
    fill(t, 2, 4);
    p = ON_ALL(t, "up", "--confirm", "--yes", "--json"); /* what is completed refuses, what is left goes on */
    assert_exit(p, (int)tf_program_number(p, "data.databases.0.exit"));
    assert_true(p->status != 0);
    assert_false(tf_program_flag(p, "success"));
    assert_int_equal(tf_program_number(p, "data.exit"), p->status);
    assert_one(t, p, 0, p->status);
    assert_int_equal(tf_program_number(p, "data.databases.0.error.exit"), p->status);
    assert_int_equal(tf_program_number(p, "error.exit"), p->status); /* as of one that fails */
    assert_string_equal(tf_program_text(p, "error.code"), tf_program_text(p, "data.databases.0.error.code"));
    assert_has(tf_program_text(p, "error.message"), t->names[0]);
    assert_one(t, p, 2, 0);
    assert_int_equal(wrong(t, 2), 0);
}

static void many__end_with_the_first_status_that_is_not_0(void **state)
{
    trio *t = *state;
    fill(t, 0, 0);
    fill(t, 1, 20);
    tf_program *p = ON_ALL(t, "audit", "--check", "melted_unspent", "--json", "--no-keep");
    assert_exit(p, 3);
    assert_true(tf_program_flag(p, "success"));
    assert_one(t, p, 0, 0);
    assert_one(t, p, 1, 3);
    assert_one(t, p, 2, 0);
    static const char *const commands[] = {"status", "preview", "validate", "plan", "history"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        p = ON_ALL(t, commands[i], "--json");
        int64_t first = 0;
        for (size_t n = 0; n < 3; n++) {
            char path[64];
            snprintf(path, sizeof path, "data.databases.%zu.exit", n);
            first = first ? first : tf_program_number(p, path);
        }
        assert_exit(p, (int)first);
    }
    p = ON_ALL(t, "balance", "npub1anna", "--json");
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.databases.1.data.total_balance"), 200);
}

static void many__for_people_have_headings_and_a_summary(void **state)
{
    trio *t = *state;
    char heading[96], named[96];
    fill(t, 1, 1);
    tf_program *p = ON_ALL(t, "verify");
    assert_true(p->status != 0);
    snprintf(heading, sizeof heading, "Database %s (2 of 3)\n=====", t->names[1]);
    assert_has(p->out, heading);
    assert_has(p->out, "All 3 databases\n");
    snprintf(named, sizeof named, "tokenfix: %s: ", t->names[1]);
    assert_has(p->err, named);
}

static void many__named_twice_are_one(void **state)
{
    trio *t = *state;
    fill(t, 0, 1);
    tf_program *p = tf_program_run(t->f, "status", "--json", "--db", t->names[0], "-d", t->names[0], NULL);
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.database"), t->names[0]);
}

static void many__each_need_their_own_confirmation(void **state)
{
    trio *t = *state;
    for (size_t i = 0; i < 3; i++)
        fill(t, i, 1);
    tf_program *p = ON_ALL(t, "up", "--json");
    assert_exit(p, 4);
    assert_one(t, p, 2, 4);
    char answers[256]; /* the second one is refused */
    snprintf(answers, sizeof answers, "%s\nno\n%s\n", t->names[0], t->names[2]);
    const char *const argv[] = {"up", "--confirm", "--db", t->names[0], "--db", t->names[1], "--db", t->names[2], NULL};
    p = tf_program_exec(t->f, &(tf_program_options){.argv = argv, .terminal = true, .input = answers});
    assert_exit(p, 4);
    assert_int_equal(wrong(t, 0), 0);
    assert_int_equal(wrong(t, 1), 1);
    assert_int_equal(wrong(t, 2), 0);
}

/* Connections are made anew: what was wiped or read from a pipe must still be there. */
static void many__are_reached_with_the_same_credentials(void **state)
{
    trio *t = *state;
    char address[1100], path[64];
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    int length = snprintf(address, sizeof address, "%s\n", t->f->uri);
    assert_int_equal(write(pipes[1], address, (size_t)length), length);
    close(pipes[1]);
    snprintf(path, sizeof path, "/proc/self/fd/%d", pipes[0]);
    const char *const argv[] = {"balance", "npub1anna", "--json", "--uri-file", path, "--db", t->names[0], "--db", t->names[1], NULL};
    tf_program *p = tf_program_exec(t->f, &(tf_program_options){.argv = argv, .uri = ""});
    close(pipes[0]);
    assert_exit(p, 0);
    assert_one(t, p, 1, 0);
}

static void many__ask_for_a_password_once(void **state)
{
    trio *t = *state;
    char user[128], password[128], uri[512], answer[160];
    const char *hosts = strchr(t->f->uri, '@');
    assert_non_null(hosts);
    assert_int_equal(sscanf(t->f->uri, "mongodb://%127[^:]:%127[^@]@", user, password), 2);
    snprintf(uri, sizeof uri, "mongodb://%s", hosts + 1);
    snprintf(answer, sizeof answer, "%s\n", password);
    const char *const argv[] = {"balance", "npub1anna", "--json", "-u", user, "-d", t->names[0], "-d", t->names[1], "-d", t->names[2], NULL};
    tf_program *p = tf_program_start(t->f, &(tf_program_options){.argv = argv, .uri = uri, .terminal = true});
    assert_true(tf_program_saw(p, "Password of "));
    assert_int_equal(write(p->out_fd, answer, strlen(answer)), (ssize_t)strlen(answer));
    tf_program_wait(p, 60);
    assert_exit(p, 0);
    assert_null(strstr(strstr(p->out, "Password of ") + 1, "Password of "));
}

static void many__from_the_configuration(void **state)
{
    trio *t = *state;
    char *folder = tf_folder_make(), path[256], text[512], variable[300];
    snprintf(path, sizeof path, "%s/c.conf", folder);
    snprintf(variable, sizeof variable, "TOKENFIX_CONFIG=%s", path);
    int length = snprintf(text, sizeof text, "[all]\ndb = %s\ndb = %s\n", t->names[0], t->names[1]);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, text, (size_t)length), length);
    close(fd);
    const char *const argv[] = {"balance", "npub1anna", "--json", "--profile", "all", NULL}, *const env[] = {variable, NULL};
    char uri[1024]; /* that names no database: it would contradict */
    snprintf(uri, sizeof uri, "%s", t->f->uri);
    char *name = strstr(uri, t->f->db);
    assert_non_null(name);
    memmove(name, name + strlen(t->f->db), strlen(name + strlen(t->f->db)) + 1);
    tf_program *p = tf_program_exec(t->f, &(tf_program_options){.argv = argv, .env = env, .uri = uri});
    assert_exit(p, 0);
    assert_one(t, p, 1, 0);
    tf_folder_remove(folder);
}

static void many__share_a_state_database(void **state)
{
    trio *t = *state;
    for (size_t i = 0; i < 3; i++)
        fill(t, i, 2 + (int)i);
    assert_exit(ON_ALL(t, "up", "--confirm", "--yes", "--json", "--state-db", t->f->state_db), 0);
    tf_program *p = ON_ALL(t, "verify", "--json", "--state-db", t->f->state_db);
    assert_exit(p, 0);
    for (size_t i = 0; i < 3; i++) {
        char path[64];
        snprintf(path, sizeof path, "data.databases.%zu.data.documents", i);
        assert_int_equal(tf_program_number(p, path), 2 + (int)i);
    }
}

static void many__are_refused_by_what_is_for_one(void **state)
{
    trio *t = *state;
    static const struct {
        const char *words[6], *message;
    } rows[] = {
        {{"audit", "--every", "1h"}, "option '--every' is for one database, and 3 are named"},
        {{"history", "--export", "/nowhere/x"}, "option '--export' is for one database"},
        {{"history", "--verify", "--head", "1:ab"}, "option '--head' is for one database"},
        {{"audit", "--format", "csv"}, "--format csv is for one database"},
        {{"ledger", "004", "--format", "csv"}, "--format csv is for one database"},
        {{"create", "Something"}, "command 'create' takes one '--db' at most"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tf_program *p = on_all(t, NULL, rows[i].words);
        assert_exit(p, 2);
        assert_has(p->err, rows[i].message);
    }
    assert_exit(ON_ALL(t, "config"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIO_TEST(many__are_repaired_proven_and_taken_back_one_after_the_other),
        TRIO_TEST(many__of_which_one_fails_do_the_others_all_the_same),
        TRIO_TEST(many__end_with_the_first_status_that_is_not_0),
        TRIO_TEST(many__for_people_have_headings_and_a_summary),
        TRIO_TEST(many__named_twice_are_one),
        TRIO_TEST(many__each_need_their_own_confirmation),
        TRIO_TEST(many__are_reached_with_the_same_credentials),
        TRIO_TEST(many__ask_for_a_password_once),
        TRIO_TEST(many__from_the_configuration),
        TRIO_TEST(many__share_a_state_database),
        TRIO_TEST(many__are_refused_by_what_is_for_one),
    };
    return cmocka_run_group_tests_name("many", tests, NULL, NULL);
}
