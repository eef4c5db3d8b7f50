/* Bad input and bad luck, at the command line: a clear message, a hint, the right exit status, nothing lost. */
#include "support/tokens.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static void assert_in(const char *text, const char *part)
{
    if (!text || !strstr(text, part))
        fail_msg("no '%s' in: %s", part, text ? text : "(nothing)");
}

/* Every command that connects, with what makes it go on without asking. */
static const char *const commands[][5] = {{"status"}, {"preview"}, {"validate"}, {"up", "--confirm", "--yes"}, {"verify"},
                                          {"down", "--confirm", "--yes"}, {"history"}, {"plan"}};
enum { COMMANDS = sizeof commands / sizeof *commands };

static tf_program *run_as(tf_fixture *f, const char *uri, const char *const *command, const char *extra, const char *value)
{
    const char *argv[12] = {NULL};
    size_t n = 0;
    for (; command[n]; n++)
        argv[n] = command[n];
    argv[n++] = "--json";
    if (extra)
        argv[n++] = extra;
    if (value)
        argv[n++] = value;
    return tf_program_exec(f, &(tf_program_options){.argv = argv, .uri = uri});
}

static void server__that_does_not_answer_is_not_ready(void **state)
{
    tf_fixture *f = *state;
    for (size_t i = 0; i < COMMANDS; i++) {
        tf_program *p = run_as(f, "mongodb://127.0.0.1:1/wallet", commands[i], "--timeout", "0.5");
        assert_int_equal(p->status, 8);
        assert_in(tf_program_text(p, "error.message"), "Database connection not ready");
        assert_true(*tf_program_text(p, "error.hint"));
    }
}

static void server__of_another_replica_set_says_whose_it_is(void **state)
{
    static const char *const status[] = {"status", NULL};
    tf_fixture *f = *state;
    char uri[sizeof f->uri + 32];
    const char *set = strstr(f->uri, "replicaSet=");
    assert_non_null(set);
    set += strlen("replicaSet=");
    snprintf(uri, sizeof uri, "%.*sother%s", (int)(set - f->uri), f->uri, set + strcspn(set, "&"));
    tf_program *p = run_as(f, uri, status, "--timeout", "2");
    assert_int_equal(p->status, 8);
    assert_in(tf_program_text(p, "error.message"), "Database connection not ready: ");
    assert_in(tf_program_text(p, "error.message"), ", not of 'other'");
    assert_in(tf_program_text(p, "error.hint"), "replicaSet");
}

static void password__that_is_wrong_is_told_and_not_shown(void **state)
{
    tf_fixture *f = *state;
    char uri[512];
    const char *hosts = strchr(f->uri, '@');
    assert_non_null(hosts);
    snprintf(uri, sizeof uri, "mongodb://nobody:hunter2%s", hosts);
    for (size_t i = 0; i < COMMANDS; i++) {
        tf_program *p = run_as(f, uri, commands[i], NULL, NULL);
        assert_int_equal(p->status, 8);
        assert_string_equal(tf_program_text(p, "error.code"), "AUTH");
        assert_null(strstr(p->out, "hunter2"));
        assert_null(strstr(p->err, "hunter2"));
    }
}

static void uri__that_does_not_parse_is_a_usage_error(void **state)
{
    tf_fixture *f = *state;
    for (size_t i = 0; i < COMMANDS; i++) {
        tf_program *p = run_as(f, "mongodb//nonsense", commands[i], NULL, NULL);
        assert_int_equal(p->status, 2);
        assert_string_equal(tf_program_text(p, "error.code"), "USAGE");
    }
}

/* What an application asks of the server in its own string is not asked of a repair: it would begin and could not go on. */
static void uri__of_an_application_does_not_weaken_a_run(void **state)
{
    static const char *const settings[] = {"readPreference=secondary&maxStalenessSeconds=120", "readPreference=secondaryPreferred",
                                           "w=0", "w=1&journal=false", "wtimeoutMS=1", "readConcernLevel=available", "retryWrites=false"};
    static const char *const up[] = {"up", "--again", "--confirm", "--yes", NULL}, *const down[] = {"down", "--confirm", "--yes", NULL};
    tf_fixture *f = *state;
    char uri[sizeof f->uri + 128];
    tf_tokens_sample(f, 3);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        snprintf(uri, sizeof uri, "%s&%s", f->uri, settings[i]);
        tf_program *p = run_as(f, uri, up, "--timeout", "2");
        if (p->status != 0)
            fail_msg("%s: up ends with %d: %s", settings[i], p->status, p->out);
        assert_int_equal(tf_tokens_wrong(f), 0);
        p = run_as(f, uri, down, "--timeout", "2");
        if (p->status != 0)
            fail_msg("%s: down ends with %d: %s", settings[i], p->status, p->out);
        assert_int_equal(tf_tokens_wrong(f), 3);
    }
}

static void database__none_named_is_a_usage_error(void **state)
{
    tf_fixture *f = *state;
    for (size_t i = 0; i < COMMANDS; i++) {
        tf_program *p = run_as(f, "mongodb://127.0.0.1:1/", commands[i], NULL, NULL);
        assert_int_equal(p->status, 2);
        assert_in(tf_program_text(p, "error.message"), "no database named");
    }
}

static void collection__that_is_absent_is_named_and_nothing_is_written(void **state)
{
    tf_fixture *f = *state;
    tf_program *p = tf_program_run(f, "up", "--confirm", "--yes", "--json", NULL);
    assert_int_equal(p->status, 1);
    assert_string_equal(tf_program_text(p, "error.code"), "MISSING");
    assert_in(tf_program_text(p, "error.message"), "cashu_tokens");
    assert_int_equal(tf_fixture_count(f, f->state_db, "runs", "{}"), 0);
}

static void permission__that_is_missing_is_named_and_nothing_is_written(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 3);
    const char *reader = tf_fixture_login(f, "reader", "cashu_tokens", NULL);
    static const char *const up[] = {"up", "--confirm", "--yes", NULL};
    tf_program *p = run_as(f, reader, up, NULL, NULL);
    assert_int_equal(p->status, 8);
    assert_in(tf_program_text(p, "error.message"), "Permission denied");
    assert_in(tf_program_text(p, "error.message"), "createCollection");
    assert_int_equal(tf_tokens_wrong(f), 3);
    assert_int_equal(tf_fixture_count(f, f->state_db, "runs", "{}"), 0);
}

static void database__with_an_odd_name_is_repaired_like_any_other(void **state)
{
    tf_fixture *f = *state;
    char odd[48], odd_state[64];
    snprintf(odd, sizeof odd, "%.16s-'Ü&%%", f->db);
    snprintf(odd_state, sizeof odd_state, "%s_tokenfix", odd);
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *tokens =
        mongoc_client_get_collection(f->client, odd, "cashu_tokens");
    _cleanup_(bson_destroyp) bson_t *token =
        BCON_NEW("_id", BCON_INT32(1), "transaction_type", "melted", "status", "unspent", "total_amount", BCON_INT32(5));
    bson_error_t error;
    if (!mongoc_collection_insert_one(tokens, token, NULL, NULL, &error))
        fail_msg("%s", error.message);
    const char *const up[] = {"up", "--db", odd, "--confirm", "--yes", NULL};
    const char *const down[] = {"down", "--db", odd, "--confirm", "--yes", NULL};
    tf_program *p = run_as(f, NULL, up, NULL, NULL);
    assert_int_equal(p->status, 0);
    assert_int_equal(tf_program_number(p, "data.affectedTokens"), 1);
    assert_int_equal(run_as(f, NULL, down, NULL, NULL)->status, 0);
    assert_int_equal(tf_fixture_count(f, odd, "cashu_tokens", "{\"status\": \"unspent\"}"), 1);
    const char *const drop[] = {odd, odd_state};
    for (size_t i = 0; i < 2; i++) {
        _cleanup_(mongoc_database_destroyp) mongoc_database_t *db = mongoc_client_get_database(f->client, drop[i]);
        assert_true(mongoc_database_drop(db, &error));
    }
}

/* ---- terminals and pipes ---- */

/* Whether a text sets a colour (ESC [ … m); a bar that draws itself anew moves the cursor only. */
static bool is_coloured(const char *text)
{
    while ((text = strstr(text, "\033["))) {
        text += 2;
        if (text[strspn(text, "0123456789;")] == 'm')
            return true;
    }
    return false;
}

static void colours__are_left_out_where_they_are_not_wanted(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 3);
    const char *const argv[] = {"validate", NULL}, *const coloured[] = {"validate", "--color", "always", NULL};
    const char *const no_color[] = {"TERM=xterm-256color", "NO_COLOR=1", NULL}, *const dumb[] = {"TERM=dumb", NULL};
    tf_program *p = tf_program_exec(f, &(tf_program_options){.argv = argv, .env = no_color, .terminal = true});
    assert_int_equal(p->status, 0);
    assert_false(is_coloured(p->out));
    p = tf_program_exec(f, &(tf_program_options){.argv = argv, .env = dumb, .terminal = true});
    assert_int_equal(p->status, 0);
    assert_null(strchr(p->out, '\033'));
    p = tf_program_exec(f, &(tf_program_options){.argv = coloured, .env = dumb, .terminal = true});
    assert_true(is_coloured(p->out));
}

static bool echoes(const tf_program *p)
{
    struct termios terminal;
    assert_int_equal(tcgetattr(p->out_fd, &terminal), 0);
    return terminal.c_lflag & ECHO;
}

static void terminal__shows_again_what_is_typed_when_the_password_is_not_given(void **state)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    static const char *const argv[] = {"status", "--username", "anna", NULL};
    tf_fixture *f = *state;
    char uri[256];
    const char *hosts = strchr(f->uri, '@');
    assert_non_null(hosts);
    snprintf(uri, sizeof uri, "mongodb://%s", hosts + 1);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        tf_program *p = tf_program_start(f, &(tf_program_options){.argv = argv, .uri = uri, .terminal = true});
        int terminal = open(ptsname(p->out_fd), O_RDWR | O_NOCTTY | O_CLOEXEC); /* it stays when the program is gone */
        assert_true(terminal >= 0);
        assert_true(tf_program_saw(p, "Password of anna"));
        assert_false(echoes(p));
        kill(p->pid, signals[i]);
        tf_program_wait(p, 0);
        assert_int_equal(p->status, 128 + signals[i]);
        assert_true(echoes(p));
        close(terminal);
    }
}

/* Runs a command line with this standard output, and no file that grows where `limited`; its exit status, or 128 + signal. */
static int with_stdout(tf_fixture *f, int fd, bool limited, const char *const *words)
{
    char *argv[16] = {"tokenfix"};
    for (size_t i = 0; words[i]; i++)
        argv[i + 1] = strdup(words[i]);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int nothing = open("/dev/null", O_WRONLY);
        setenv("TOKENFIX_URI", f->login[0][0] ? f->login[0] : f->uri, 1);
        dup2(fd, STDOUT_FILENO);
        dup2(nothing, STDERR_FILENO);
        if (limited)
            setrlimit(RLIMIT_FSIZE, &(struct rlimit){0});
        execv(tf_program_path(false), argv);
        _exit(126);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    for (size_t i = 1; argv[i]; i++)
        free(argv[i]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void assert_output_lost(tf_fixture *f, int fd, const char *const *words)
{
    int status = with_stdout(f, fd, false, words);
    if (status != 1)
        fail_msg("exit %d instead of 1: %s %s", status, words[0], words[1] ? words[1] : "");
}

/* Every command that writes there, as text or as JSON. What `up` and `down` did is done all the same: they say that it could
 * not be told, and the next command finds it. */
static void assert_each_command_says_so(tf_fixture *f, int fd, bool json)
{
    static const char *const lines[][6] = {
        {"status"},    {"preview"}, {"validate"}, {"validate", "--print-role"}, {"up", "--confirm", "--yes"}, {"verify"}, {"history"},
        {"history", "004"}, {"plan"}, {"down", "--confirm", "--yes"}, {"help", "up"}, {"version"}, {"up", "--help"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const char *words[8] = {NULL};
        memcpy(words, lines[i], sizeof lines[i]);
        bool plain = strcmp(words[0], "help") == 0 || (words[1] && strcmp(words[1], "--help") == 0);
        for (size_t n = 0; json && !plain && n < 8; n++)
            if (!words[n]) {
                words[n] = "--json";
                break;
            }
        assert_output_lost(f, fd, words);
        if (strcmp(words[0], "up") == 0 && !plain)
            assert_int_equal(tf_tokens_wrong(f), 0);
        if (strcmp(words[0], "down") == 0)
            assert_int_equal(tf_tokens_wrong(f), 3);
    }
}

static void stdout__on_a_full_disk_is_an_error_of_every_command(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 3);
    int full = open("/dev/full", O_WRONLY);
    assert_true(full >= 0);
    assert_each_command_says_so(f, full, false);
    close(full);
}

static void stdout__that_is_a_broken_pipe_is_an_error_of_every_command(void **state)
{
    tf_fixture *f = *state;
    int ends[2];
    tf_tokens_sample(f, 3);
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_each_command_says_so(f, ends[1], true);
    close(ends[1]);
}

static void stdout__beyond_the_limit_of_a_file_is_an_error_and_ends_no_run(void **state)
{
    static const char *const up[] = {"up", "--confirm", "--yes", NULL};
    tf_fixture *f = *state;
    tf_tokens_sample(f, 3);
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(with_stdout(f, fileno(file), true, up), 1);
    fclose(file);
    assert_int_equal(tf_tokens_wrong(f), 0);
}

/* ---- other topologies ---- */

static void standalone__is_explained_and_repaired_by_journal(void **state)
{
    tf_fixture *f = *state;
    tf_sandbox sandbox;
    tf_fixture_own_server(f, (tf_sandbox_options){.standalone = true}, &sandbox);
    tf_tokens_sample(f, 30);
    tf_program *p = tf_program_run(f, "up", "--confirm", "--yes", "--json", NULL);
    assert_int_equal(p->status, 1);
    assert_string_equal(tf_program_text(p, "error.code"), "UNSUPPORTED");
    assert_in(tf_program_text(p, "error.hint"), "--strategy journal");
    assert_int_equal(tf_tokens_wrong(f), 30);
    p = tf_program_run(f, "up", "--strategy", "journal", "--confirm", "--yes", "--json", NULL);
    assert_int_equal(p->status, 0);
    assert_int_equal(tf_tokens_wrong(f), 0);
    p = tf_program_run(f, "down", "--strategy", "journal", "--confirm", "--yes", "--json", NULL);
    assert_int_equal(p->status, 0);
    assert_int_equal(tf_program_number(p, "data.restoredTokens"), 30);
    assert_int_equal(tf_tokens_wrong(f), 30);
    assert_int_equal(tf_program_run(f, "verify", NULL)->status, 0);
}

static void secondary__is_not_written_to(void **state)
{
    tf_fixture *f = *state;
    tf_sandbox sandbox;
    unsigned refused = 0;
    tf_fixture_own_server(f, (tf_sandbox_options){.nodes = 3}, &sandbox);
    tf_tokens_sample(f, 3);
    static const char *const up[] = {"up", "--confirm", "--yes", NULL};
    _cleanup_(bson_destroyp) bson_t *hello = tf_fixture_command(f, "{\"hello\": 1}");
    bson_iter_t iter;
    assert_true(bson_iter_init_find(&iter, hello, "me"));
    const char *primary = strchr(bson_iter_utf8(&iter, NULL), ':') + 1;
    for (unsigned i = 0; i < sandbox.nodes; i++) {
        char uri[128];
        if (sandbox.node[i].port == atoi(primary))
            continue;
        snprintf(uri, sizeof uri, "mongodb://127.0.0.1:%d/wallet?directConnection=true", sandbox.node[i].port);
        tf_program *p = run_as(f, uri, up, NULL, NULL);
        assert_int_equal(p->status, 8);
        assert_string_equal(tf_program_text(p, "error.code"), "NOT_WRITABLE");
        refused++;
    }
    assert_int_equal(refused, 2);
    assert_int_equal(tf_tokens_wrong(f), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(server__that_does_not_answer_is_not_ready),
        TF_FIXTURE_TEST(server__of_another_replica_set_says_whose_it_is),
        TF_FIXTURE_TEST(password__that_is_wrong_is_told_and_not_shown),
        TF_FIXTURE_TEST(uri__that_does_not_parse_is_a_usage_error),
        TF_FIXTURE_TEST(uri__of_an_application_does_not_weaken_a_run),
        TF_FIXTURE_TEST(database__none_named_is_a_usage_error),
        TF_FIXTURE_TEST(collection__that_is_absent_is_named_and_nothing_is_written),
        TF_FIXTURE_TEST(permission__that_is_missing_is_named_and_nothing_is_written),
        TF_FIXTURE_TEST(database__with_an_odd_name_is_repaired_like_any_other),
        TF_FIXTURE_TEST(colours__are_left_out_where_they_are_not_wanted),
        TF_FIXTURE_TEST(terminal__shows_again_what_is_typed_when_the_password_is_not_given),
        TF_FIXTURE_TEST(stdout__on_a_full_disk_is_an_error_of_every_command),
        TF_FIXTURE_TEST(stdout__that_is_a_broken_pipe_is_an_error_of_every_command),
        TF_FIXTURE_TEST(stdout__beyond_the_limit_of_a_file_is_an_error_and_ends_no_run),
        TF_FIXTURE_OWN_TEST(standalone__is_explained_and_repaired_by_journal),
        TF_FIXTURE_OWN_TEST(secondary__is_not_written_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
