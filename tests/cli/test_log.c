/* The log: into a file, as JSON, by level, to systemd's journal; and what stays as it is for people. */
#include "support/tokens.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char *folder, path[256];

static int setup(void **state)
{
    folder = tf_folder_make();
    snprintf(path, sizeof path, "%s/tokenfix.log", folder);
    return tf_fixture_setup(state);
}

static int teardown(void **state)
{
    tf_folder_remove(folder);
    return tf_fixture_teardown(state);
}

/* The caller frees; NULL where there is no such file. */
static char *contents(const char *name)
{
    FILE *in = fopen(name, "r");
    char *text = NULL;
    size_t size = 0;
    if (!in)
        return NULL;
    if (getdelim(&text, &size, '\0', in) < 0)
        text[0] = '\0';
    fclose(in);
    return text;
}

/* Every line an object; the n-th (from 0) is copied into *out, which the caller destroys. How many there are. */
static int lines_of_json(const char *text, int wanted, bson_t **out)
{
    int n = 0;
    for (const char *end; *text; text = end + 1, n++) {
        bson_error_t error;
        end = strchr(text, '\n');
        assert_non_null(end);
        bson_t *doc = bson_new_from_json((const uint8_t *)text, end - text, &error);
        if (!doc)
            fail_msg("no JSON: %s: %.*s", error.message, (int)(end - text), text);
        if (n == wanted && out)
            *out = doc;
        else
            bson_destroy(doc);
    }
    return n;
}

static const char *field(const bson_t *doc, const char *name)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, doc, name) && BSON_ITER_HOLDS_UTF8(&iter) ? bson_iter_utf8(&iter, NULL) : "";
}

static void log__file_says_what_began_and_how_it_ended(void **state)
{
    tf_fixture *f = *state;
    struct stat about;
    tf_tokens_fill(f, 1);
    assert_exit(tf_program_run(f, "status", "--log-file", path, NULL), 0);
    assert_exit(tf_program_run(f, "up", "--log-file", path, NULL), 4);
    char *text = contents(path), expected[256];
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    assert_has(text, "Z info 'status' begins\n");
    snprintf(expected, sizeof expected, "Z info %s: 'status' ends with 0: done, or nothing to do\n", f->db);
    assert_has(text, expected);
    snprintf(expected, sizeof expected, "Z error %s: not confirmed: nothing was changed; hint: Run 'tokenfix up", f->db);
    assert_has(text, expected);
    assert_has(text, "'up' ends with 4: confirmation missing or refused\n");
    free(text);
}

static void log__file_has_errors_that_go_to_standard_output_as_json(void **state)
{
    tf_fixture *f = *state;
    tf_program *p = tf_program_run(f, "verify", "no-such-run", "--json", "--log-file", path, "--log-format", "json", NULL);
    assert_true(p->status != 0);
    assert_false(tf_program_flag(p, "success"));
    char *text = contents(path);
    bson_t *doc = NULL;
    bson_iter_t iter;
    assert_int_equal(lines_of_json(text, 1, &doc), 3);
    assert_string_equal(field(doc, "level"), "error");
    assert_string_equal(field(doc, "message"), tf_program_text(p, "error.message"));
    assert_string_equal(field(doc, "code"), tf_program_text(p, "error.code"));
    assert_string_equal(field(doc, "database"), f->db);
    bson_destroy(doc);
    lines_of_json(text, 2, &doc);
    assert_string_equal(field(doc, "command"), "verify");
    assert_true(bson_iter_init_find(&iter, doc, "exit"));
    assert_int_equal(bson_iter_as_int64(&iter), p->status);
    assert_true(bson_iter_init_find(&iter, doc, "elapsedMs"));
    bson_destroy(doc);
    free(text);
}

static void log__as_json_takes_standard_error(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_fill(f, 1);
    tf_program *p = tf_program_run(f, "up", "--log-format", "json", NULL);
    assert_exit(p, 4);
    assert_true(lines_of_json(p->err, -1, NULL) >= 3);
    assert_has(p->err, "\"message\" : \"not confirmed: nothing was changed\"");
    assert_has_not(p->err, "hint: ");
}

static void log__for_people_is_as_it_was(void **state)
{
    tf_fixture *f = *state;
    tf_program *p = tf_program_run(f, "verify", NULL);
    tf_program *q = tf_program_run(f, "verify", "--log-file", path, "--log-format", "text", NULL);
    assert_int_equal(p->status, q->status);
    assert_string_equal(p->out, q->out);
    assert_string_equal(p->err, q->err);
}

static void log__level_leaves_out_what_is_less_grave(void **state)
{
    tf_fixture *f = *state;
    static const struct {
        const char *level;
        bool begins, failure;
    } rows[] = {{"error", false, true}, {"warning", false, true}, {"info", true, true}, {"debug", true, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tf_program_run(f, "verify", "nothing", "--log-file", path, "--log-level", rows[i].level, NULL);
        char *text = contents(path);
        assert_true((strstr(text, "begins") != NULL) == rows[i].begins);
        assert_true((strstr(text, " error ") != NULL) == rows[i].failure);
        free(text);
        unlink(path);
    }
    assert_exit(tf_program_run(f, "status", "--log-level", "loud", NULL), 2);
}

static void log__tells_the_database_of_several(void **state)
{
    tf_fixture *f = *state;
    char expected[256];
    tf_program *p = tf_program_run(f, "verify", "--log-file", path, "--db", "tf_none_a", "--db", f->db, NULL);
    assert_true(p->status != 0);
    char *text = contents(path);
    snprintf(expected, sizeof expected, " error %s: ", f->db);
    assert_has(text, expected);
    assert_has(text, " error tf_none_a: ");
    assert_has(text, " info tf_none_a: 'verify' of this database ends with ");
    free(text);
}

static void log__has_no_password(void **state)
{
    tf_fixture *f = *state;
    tf_program *p = tf_program_run(f, "status", "--uri", "mongodb://me:s3cr3t@127.0.0.1:1/x", "--timeout", "0.2", "--log-file", path, "--log-level",
                                   "debug", NULL);
    assert_exit(p, 8);
    char *text = contents(path);
    assert_has(text, " error x: ");
    assert_has_not(text, "s3cr3t");
    free(text);
}

/* logrotate renames it under a daemon. */
static void log__file_that_was_moved_is_made_anew(void **state)
{
    tf_fixture *f = *state;
    char moved[300];
    tf_tokens_fill(f, 1);
    snprintf(moved, sizeof moved, "%s.1", path);
    const char *const argv[] = {"audit", "--every", "1h", "--no-keep", "--check", "melted_unspent", "--log-file", path, NULL};
    tf_program *p = tf_program_start(f, &(tf_program_options){.argv = argv, .merge = true});
    assert_true(tf_program_saw(p, "melted_unspent"));
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(kill(p->pid, SIGTERM), 0);
    tf_program_wait(p, 60);
    char *text = contents(path);
    assert_non_null(text);
    assert_has(text, "'audit' ends with");
    assert_has_not(text, "'audit' begins");
    free(text);
}

static void log__file_that_cannot_be_is_refused(void **state)
{
    tf_fixture *f = *state;
    char link[300], pipe_name[300], nowhere[300];
    snprintf(link, sizeof link, "%s/link", folder);
    snprintf(pipe_name, sizeof pipe_name, "%s/pipe", folder);
    snprintf(nowhere, sizeof nowhere, "%s/no/such", folder);
    assert_int_equal(symlink(path, link), 0);
    assert_int_equal(mkfifo(pipe_name, 0600), 0);
    const char *const names[] = {link, pipe_name, nowhere, folder};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        tf_program *p = tf_program_run(f, "status", "--log-file", names[i], NULL);
        assert_exit(p, 2);
        assert_has(p->err, "written"); /* the path before it decides where the line breaks */
        assert_int_equal(tf_runs(f), 0);
    }
    assert_true(access(path, F_OK) != 0);
    assert_exit(tf_program_run(f, "status", "--log-file", "/dev/full", NULL), 0); /* told, and nothing else changes */
}

/* ---- the journal ---- */

typedef struct {
    int socket, stderr_file;
    char socket_name[100], file_name[300], env[3][400];
} journal;

/* A file in the place of the stream that systemd gives a service, and somebody who listens. */
static void open_journal(journal *j)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat about;
    snprintf(j->socket_name, sizeof j->socket_name, "%s/journal", folder);
    snprintf(j->file_name, sizeof j->file_name, "%s/stderr", folder);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", j->socket_name);
    j->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(j->socket, (const struct sockaddr *)&address, sizeof address), 0);
    j->stderr_file = open(j->file_name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(fstat(j->stderr_file, &about), 0);
    snprintf(j->env[0], sizeof j->env[0], "%ju:%ju", (uintmax_t)about.st_dev, (uintmax_t)about.st_ino);
}

static void run_as_service(const tf_fixture *f, const journal *j, const char *const *argv)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        tf_program_forget_counters();
        dup2(j->stderr_file, STDERR_FILENO);
        int null = open("/dev/null", O_RDWR);
        dup2(null, STDOUT_FILENO);
        setenv("JOURNAL_STREAM", j->env[0], 1);
        setenv("TOKENFIX_JOURNAL_SOCKET", j->socket_name, 1);
        setenv("TOKENFIX_URI", f->uri, 1);
        setenv("TOKENFIX_CONFIG", "/dev/null", 1);
        execv(tf_program_path(false), (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 127);
}

static void log__under_systemd_goes_to_the_journal_with_its_fields(void **state)
{
    tf_fixture *f = *state;
    journal j;
    static char all[16384];
    char expected[128];
    open_journal(&j);
    run_as_service(f, &j, (const char *const[]){"tokenfix", "verify", "nothing", NULL});
    for (ssize_t got; (got = recv(j.socket, all + strlen(all), sizeof all - strlen(all) - 1, 0)) > 0;)
        all[strlen(all)] = '\0';
    close(j.socket);
    close(j.stderr_file);
    const char *said = all;
    assert_has(said, "MESSAGE='verify' begins\nPRIORITY=6\nSYSLOG_IDENTIFIER=tokenfix\n");
    assert_has(said, "\nPRIORITY=3\n");
    assert_has(said, "\nTOKENFIX_CODE=");
    assert_has(said, "\nTOKENFIX_COMMAND=verify\n");
    assert_has(said, "\nTOKENFIX_EXIT=");
    assert_has(said, "\nTOKENFIX_ELAPSED_MS=");
    snprintf(expected, sizeof expected, "\nTOKENFIX_DATABASE=%s\n", f->db);
    assert_has(said, expected);
    char *text = contents(j.file_name);
    assert_string_equal(text, ""); /* not twice */
    free(text);
}

static void log__without_a_journal_that_listens_marks_its_lines(void **state)
{
    tf_fixture *f = *state;
    journal j;
    open_journal(&j);
    close(j.socket);
    unlink(j.socket_name);
    run_as_service(f, &j, (const char *const[]){"tokenfix", "verify", "nothing", NULL});
    close(j.stderr_file);
    char *text = contents(j.file_name);
    assert_has(text, "<6>'verify' begins\n");
    assert_has(text, "<3>");
    free(text);
}

static void log__under_systemd_with_a_format_stays_on_standard_error(void **state)
{
    tf_fixture *f = *state;
    journal j;
    open_journal(&j);
    run_as_service(f, &j, (const char *const[]){"tokenfix", "verify", "nothing", "--log-format", "json", NULL});
    char byte;
    assert_true(recv(j.socket, &byte, 1, 0) < 0);
    close(j.socket);
    close(j.stderr_file);
    char *text = contents(j.file_name);
    assert_int_equal(lines_of_json(text, -1, NULL), 3);
    free(text);
}

int main(void)
{
#define LOG_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        LOG_TEST(log__file_says_what_began_and_how_it_ended),
        LOG_TEST(log__file_has_errors_that_go_to_standard_output_as_json),
        LOG_TEST(log__as_json_takes_standard_error),
        LOG_TEST(log__for_people_is_as_it_was),
        LOG_TEST(log__level_leaves_out_what_is_less_grave),
        LOG_TEST(log__tells_the_database_of_several),
        LOG_TEST(log__has_no_password),
        LOG_TEST(log__file_that_was_moved_is_made_anew),
        LOG_TEST(log__file_that_cannot_be_is_refused),
        LOG_TEST(log__under_systemd_goes_to_the_journal_with_its_fields),
        LOG_TEST(log__without_a_journal_that_listens_marks_its_lines),
        LOG_TEST(log__under_systemd_with_a_format_stays_on_standard_error),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
