/* tokenfix audit --every, and alerts: rounds, channels, signals, the configuration read again. */
#include "support/alerts.h"

#include "base/clock.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

TF_CLEANUP(http_server *, http_stop)

enum { MOST = 24 };

/* Starts `audit ARGUMENTS` with output and messages in one stream, as `uri` or as the fixture's user. */
static tf_program *begin(tf_fixture *f, const char *uri, const char *const *env, const char *const *more)
{
    const char *argv[MOST] = {"audit"};
    size_t n = 1;
    for (; *more; more++)
        argv[n++] = *more;
    return tf_program_start(f, &(tf_program_options){.argv = argv, .env = env, .uri = uri, .merge = true});
}

#define BEGIN(f, ...) begin((f), NULL, NULL, (const char *const[]){__VA_ARGS__, NULL})
#define BEGIN_ENV(f, env, ...) begin((f), NULL, (env), (const char *const[]){__VA_ARGS__, NULL})

static void end(tf_program *p)
{
    assert_int_equal(kill(p->pid, SIGTERM), 0);
    tf_program_wait(p, 60);
    assert_exit(p, 0);
}

static void expect(tf_program *p, const char *text)
{
    if (!tf_program_saw(p, text))
        fail_msg("never said '%s': %s", text, p->out);
}

static void rounds__are_one_line_each(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_fill(f, 12);
    alerts_make_indexes(f);
    tf_program *p = tf_program_run(f, "audit", "--every", "100ms", "--rounds", "3", "--check", "melted_unspent", NULL);
    assert_exit(p, 0);
    assert_int_equal(alerts_lines(p->out), 3);
    assert_has(p->out, "Z  findings: 0 of 1 checks passed; melted_unspent 12 (high); ");
    assert_has(p->out, "; alerts: 1 raised");
}

static void rounds__are_objects_on_a_line_with_json(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_fill(f, 3);
    alerts_make_indexes(f);
    tf_program *p = tf_program_run(f, "audit", "--every", "100ms", "--rounds", "2", "--check", "melted_unspent", "--json", NULL);
    assert_exit(p, 0);
    assert_int_equal(alerts_lines(p->out), 2);
    char *second = strchr(p->out, '\n');
    *second++ = '\0';
    _cleanup_(bson_destroyp) bson_t *one = bson_new_from_json((const uint8_t *)p->out, -1, NULL);
    _cleanup_(bson_destroyp) bson_t *other = bson_new_from_json((const uint8_t *)second, -1, NULL);
    assert_true(one && other);
    char word[32];
    assert_int_equal(tf_field_number(one, "round"), 1);
    assert_int_equal(tf_field_number(other, "round"), 2);
    assert_int_equal(tf_field_number(one, "issues.0.count"), 3);
    assert_true(tf_field_text(one, "issues.0.type", word, sizeof word));
    assert_string_equal(word, "melted_unspent");
    tf_field_text(one, "issues.0.severity", word, sizeof word);
    assert_string_equal(word, "medium");
    assert_int_equal(tf_field_number(one, "isHealthy"), 0);
    assert_int_equal(tf_field_number(one, "totalChecks"), 1);
    assert_int_equal(tf_field_number(one, "alerts.raised"), 1);
    assert_int_equal(tf_field_number(other, "alerts.raised"), 0);
    assert_int_equal(tf_field_number(other, "alerts.open"), 1);
}

static void rounds__of_clean_data_are_healthy(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_fill(f, 0);
    alerts_make_indexes(f);
    _cleanup_(http_stopp) http_server *server = http_serve(HTTP_OK);
    char hook[160];
    snprintf(hook, sizeof hook, "TOKENFIX_WEBHOOK=%s", http_url(server));
    const char *const env[] = {hook, NULL};
    tf_program *p = BEGIN_ENV(f, env, "--every", "100ms", "--check", "balance", "--alert-level", "low");
    alerts_expect(server, 0, "healthy", "raised", "low");
    expect(p, "healthy: ");
    tf_tokens_insert(f, 500, 1, "npub1carl", "unspent");
    alerts_expect(server, 1, "melted_unspent", "raised", "medium");
    end(p);
    assert_int_equal(http_count(server), 2); /* that all is well was told once, and is not taken back */
}

static void alerts__are_raised_repeated_and_resolved_over_rounds(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_fill(f, 2);
    alerts_make_indexes(f);
    _cleanup_(http_stopp) http_server *server = http_serve(HTTP_OK);
    char hook[160];
    snprintf(hook, sizeof hook, "TOKENFIX_WEBHOOK=%s", http_url(server));
    const char *const env[] = {hook, "TOKENFIX_WEBHOOK_SECRET=hush", NULL};
    tf_program *p = BEGIN_ENV(f, env, "--every", "100ms", "--check", "melted_unspent", "--alert-repeat", "2s");
    alerts_expect(server, 0, "melted_unspent", "raised", "medium");
    assert_true(*http_header(http_request_at(server, 0), "X-Tokenfix-Signature"));
    alerts_expect(server, 1, "melted_unspent", "repeated", "medium");
    tf_tokens_insert(f, 500, 20, "npub1carl", "unspent");
    size_t n = 2;
    for (; n < 20; n++) { /* repeated now and then, until it is graver */
        http_wait(server, n + 1);
        if (strcmp(http_header(http_request_at(server, n), "X-Tokenfix-Event"), "raised") == 0)
            break;
    }
    alerts_expect(server, n, "melted_unspent", "raised", "high");
    tf_tokens_delete(f, "{\"status\": \"unspent\"}");
    for (n++; n < 40; n++) {
        http_wait(server, n + 1);
        if (strcmp(http_header(http_request_at(server, n), "X-Tokenfix-Event"), "resolved") == 0)
            break;
    }
    alerts_expect(server, n, "melted_unspent", "resolved", "high");
    end(p);
    assert_has_not(p->out, "hush");
    assert_has_not(p->out, "/hook");
}

static void alerts__are_told_once_over_processes(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_fill(f, 2);
    _cleanup_(http_stopp) http_server *server = http_serve(HTTP_OK);
    char hook[160];
    snprintf(hook, sizeof hook, "TOKENFIX_WEBHOOK=%s", http_url(server));
    const char *const env[] = {hook, NULL};
    const tf_program_options once = {.argv = (const char *[]){"audit", "--check", "melted_unspent", NULL}, .env = env};
    for (int n = 0; n < 3; n++)
        assert_exit(tf_program_exec(f, &once), 3);
    alerts_expect(server, 0, "melted_unspent", "raised", "medium");
    assert_int_equal(http_count(server), 1);
    /* one that looks at something else, and one without a channel, change nothing of it */
    assert_exit(tf_program_exec(f, &(tf_program_options){.argv = (const char *[]){"audit", "--check", "negative_balance", NULL}, .env = env}), 0);
    assert_exit(tf_program_run(f, "audit", "--check", "melted_unspent", NULL), 3);
    assert_exit(tf_program_exec(f, &once), 3);
    assert_int_equal(http_count(server), 1);
    tf_tokens_delete(f, "{\"status\": \"unspent\"}");
    assert_exit(tf_program_exec(f, &once), 0);
    alerts_expect(server, 1, "melted_unspent", "resolved", "medium");
    assert_exit(tf_program_exec(f, &once), 0);
    assert_int_equal(http_count(server), 2);
}

static void alerts__that_were_not_delivered_are_told_by_the_next_process(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_fill(f, 2);
    _cleanup_(http_stopp) http_server *server = http_serve(HTTP_MISSING, HTTP_OK);
    char hook[160];
    snprintf(hook, sizeof hook, "TOKENFIX_WEBHOOK=%s", http_url(server));
    const tf_program_options once = {.argv = (const char *[]){"audit", "--check", "melted_unspent", NULL},
                                     .env = (const char *[]){hook, NULL}};
    tf_program *p = tf_program_exec(f, &once);
    assert_exit(p, 3);
    assert_has(p->err, "answers 404");
    assert_has(p->out, "melted_unspent"); /* what was found is told all the same */
    assert_exit(tf_program_exec(f, &once), 3);
    alerts_expect(server, 1, "melted_unspent", "raised", "medium");
    assert_exit(tf_program_exec(f, &once), 3);
    assert_int_equal(http_count(server), 2);
}

static void alerts__that_are_open_are_told_to_a_channel_that_is_new(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_fill(f, 2);
    alerts_make_indexes(f);
    tf_program *p = tf_program_run(f, "audit", "--every", "100ms", "--rounds", "2", "--check", "melted_unspent", NULL);
    assert_exit(p, 0);
    assert_has(p->out, "alerts: 1 raised");
    _cleanup_(http_stopp) http_server *server = http_serve(HTTP_OK);
    char hook[160];
    snprintf(hook, sizeof hook, "TOKENFIX_WEBHOOK=%s", http_url(server));
    const tf_program_options once = {.argv = (const char *[]){"audit", "--check", "melted_unspent", NULL},
                                     .env = (const char *[]){hook, NULL}};
    assert_exit(tf_program_exec(f, &once), 3);
    alerts_expect(server, 0, "melted_unspent", "raised", "medium");
    assert_exit(tf_program_exec(f, &once), 3);
    assert_int_equal(http_count(server), 1);
}

static void alerts__that_are_open_are_told_to_a_webhook_that_replaces_another(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_fill(f, 2);
    _cleanup_(http_stopp) http_server *first = http_serve(HTTP_OK), *second = http_serve(HTTP_OK);
    char hooks[2][160];
    snprintf(hooks[0], sizeof hooks[0], "TOKENFIX_WEBHOOK=%s", http_url(first));
    snprintf(hooks[1], sizeof hooks[1], "TOKENFIX_WEBHOOK=%s", http_url(second));
    for (int n = 0; n < 4; n++) {
        const tf_program_options once = {.argv = (const char *[]){"audit", "--check", "melted_unspent", NULL},
                                         .env = (const char *[]){hooks[n / 2], NULL}};
        assert_exit(tf_program_exec(f, &once), 3);
    }
    alerts_expect(first, 0, "melted_unspent", "raised", "medium");
    alerts_expect(second, 0, "melted_unspent", "raised", "medium");
    assert_int_equal(http_count(first), 1);
    assert_int_equal(http_count(second), 1);
    assert_int_equal(tf_fixture_count(f, f->state_db, "audits", "{\"alerts.heard\": {\"$regex\": \"hook$|127\"}}"), 0); /* no address is kept */
}

static void alerts__reach_the_command_too(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_fill(f, 11);
    char *folder = tf_folder_make(), command[256], path[160], memory[4096] = "", *text = memory;
    snprintf(path, sizeof path, "%s/out", folder);
    snprintf(command, sizeof command, "echo \"$TOKENFIX_ALERT_SEVERITY $TOKENFIX_ALERT_NAME\" >'%s'; cat >>'%s'", path, path);
    tf_program *p = tf_program_run(f, "audit", "--check", "melted_unspent", "--alert-command", command, NULL);
    assert_exit(p, 3);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    assert_true(fread(text, 1, sizeof memory - 1, in) > 0);
    fclose(in);
    assert_has(text, "high melted_unspent\n{\"version\": 1, \"event\": \"raised\"");
    assert_has(text, "\"count\": 11");
    assert_has_not(text, "s3cr3t");
    tf_folder_remove(folder);
}

static void thresholds__make_an_alert_high(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_fill(f, 3);
    _cleanup_(http_stopp) http_server *server = http_serve(HTTP_OK);
    char hook[160];
    snprintf(hook, sizeof hook, "TOKENFIX_WEBHOOK=%s", http_url(server));
    const char *const env[] = {hook, NULL};
    assert_exit(tf_program_exec(f, &(tf_program_options){.argv = (const char *[]){"audit", "--check", "melted_unspent",
                                                                                  "--alert-threshold", "melted_unspent=2", NULL},
                                                         .env = env}),
                3);
    alerts_expect(server, 0, "melted_unspent", "raised", "high");
    assert_exit(tf_program_exec(f, &(tf_program_options){.argv = (const char *[]){"audit", "--check", "melted_unspent", "--no-keep",
                                                                                  "--alert-level", "high", NULL},
                                                         .env = env}),
                3); /* medium as the check has it: below the level, so the high one is over */
    alerts_expect(server, 1, "melted_unspent", "resolved", "high");
}

static void executions__that_take_long_are_alerts(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_fill(f, 0);
    alerts_make_indexes(f);
    tf_program *p = BEGIN(f, "--every", "100ms", "--alert-slow", "1ms", "--alert-stuck", "0", "--rounds", "2");
    tf_program_wait(p, 60);
    assert_exit(p, 0);
    assert_has(p->out, "alerts: ");
    assert_has(p->out, "the audit has been under way for");
}

static void audits__of_the_read_only_user_change_nothing(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_fill(f, 5);
    alerts_make_indexes(f);
    const char *reader = tf_fixture_login(f, "audit", "cashu_tokens", (const char *const[]){"cashu_wallets", NULL});
    tf_program *p = begin(f, reader, NULL, (const char *const[]){"--every", "100ms", "--rounds", "3", NULL});
    tf_program_wait(p, 120);
    assert_exit(p, 0);
    assert_has(p->out, "melted_unspent 5 (medium)");
    assert_has(p->out, "nothing is kept of the rounds: ");
    assert_null(strstr(strstr(p->out, "nothing is kept of the rounds: ") + 10, "nothing is kept of the rounds: ")); /* said once */
    assert_int_equal(tf_fixture_count(f, f->state_db, "audits", "{}"), 0);
    assert_int_equal(tf_tokens_wrong(f), 5);
}

static void audits__that_differ_are_kept_and_others_not(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_fill(f, 5);
    alerts_make_indexes(f);
    const char *auditor = tf_fixture_login(f, "auditor", "cashu_tokens", (const char *const[]){"cashu_wallets", NULL});
    tf_program *p = begin(f, auditor, NULL, (const char *const[]){"--every", "100ms", "--rounds", "6", "--check", "melted_unspent", NULL});
    tf_program_wait(p, 120);
    assert_exit(p, 0);
    assert_has_not(p->out, "nothing is kept");
    assert_int_equal(tf_fixture_count(f, f->state_db, "audits", "{}"), 1);
    assert_int_equal(tf_fixture_count(f, f->state_db, "audits", "{\"alerts.0.name\": \"melted_unspent\", \"findings.0.count\": 5}"), 1);
}

static void write_config(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd != -1);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void sighup__reads_the_configuration_again(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_fill(f, 5);
    alerts_make_indexes(f);
    _cleanup_(http_stopp) http_server *server = http_serve(HTTP_OK);
    char *folder = tf_folder_make(), path[160], text[512];
    snprintf(path, sizeof path, "%s/c.conf", folder);
    write_config(path, "check = melted_unspent\nalert-level = high\n");
    tf_program *p = BEGIN(f, "--config", path, "--every", "100ms");
    expect(p, "findings: ");
    assert_int_equal(kill(p->pid, SIGHUP), 0);
    expect(p, "the configuration was read again\n");
    write_config(path, "check = melted_unspent\nalert_levl = low\n");
    assert_int_equal(kill(p->pid, SIGHUP), 0);
    expect(p, "unknown key 'alert-levl'");
    assert_int_equal(http_count(server), 0);
    snprintf(text, sizeof text, "check = melted_unspent\nwebhook = %s\ndb = other\n", http_url(server));
    write_config(path, text);
    assert_int_equal(kill(p->pid, SIGHUP), 0);
    expect(p, "the connection stays as it is");
    alerts_expect(server, 0, "melted_unspent", "raised", "medium");
    write_config(path, text);
    assert_int_equal(kill(p->pid, SIGHUP), 0); /* once more: what is open is not raised again */
    for (int n = 0; n < 2; n++)
        expect(p, "findings: ");
    _cleanup_(http_stopp) http_server *other = http_serve(HTTP_OK);
    snprintf(text, sizeof text, "check = melted_unspent\nwebhook = %s\n", http_url(other));
    write_config(path, text);
    assert_int_equal(kill(p->pid, SIGHUP), 0); /* but to somebody else it is */
    alerts_expect(other, 0, "melted_unspent", "raised", "medium");
    end(p);
    assert_int_equal(http_count(server), 1);
    tf_folder_remove(folder);
}

static void sighup__with_a_configuration_that_cannot_be_is_refused(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_fill(f, 5);
    alerts_make_indexes(f);
    char *folder = tf_folder_make(), path[160];
    snprintf(path, sizeof path, "%s/c.conf", folder);
    write_config(path, "check = melted_unspent\n");
    const char *const env[] = {"COLUMNS=400", NULL};
    tf_program *p = BEGIN_ENV(f, env, "--config", path, "--every", "100ms");
    expect(p, "findings: ");
    write_config(path, "check = melted_unspnt\n");
    assert_int_equal(kill(p->pid, SIGHUP), 0);
    expect(p, "the configuration was not read again, what was read before stays: there is no check 'melted_unspnt'");
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(kill(p->pid, SIGHUP), 0);
    expect(p, "is gone, or no file that can be read again");
    expect(p, "findings: ");
    end(p);
    assert_has_not(p->out, "not audited");
    tf_folder_remove(folder);
}

static void daemon__ends_in_the_middle_of_a_webhook(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_fill(f, 5);
    alerts_make_indexes(f);
    _cleanup_(http_stopp) http_server *server = http_serve(HTTP_SILENT);
    char hook[160];
    snprintf(hook, sizeof hook, "TOKENFIX_WEBHOOK=%s", http_url(server));
    const char *const env[] = {hook, NULL};
    tf_program *p = BEGIN_ENV(f, env, "--every", "1h", "--check", "melted_unspent");
    assert_int_equal(http_wait(server, 1), 1);
    struct timespec begun, ended;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    end(p);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    assert_true(ended.tv_sec - begun.tv_sec < 10); /* 5 s and a slow machine's leeway; the webhook's three tries take 33 s */
    assert_has(p->out, "1 alert was not delivered to the webhook");
    /* it stays due: the next process tells it */
    static const int fine[] = {HTTP_OK, -1};
    http_switch(server, fine);
    p = BEGIN_ENV(f, env, "--every", "1h", "--check", "melted_unspent");
    alerts_expect(server, 1, "melted_unspent", "raised", "medium");
    end(p);
}

static void daemon__ends_in_the_middle_of_the_last_webhook(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_fill(f, 5);
    alerts_make_indexes(f);
    _cleanup_(http_stopp) http_server *server = http_serve(HTTP_SILENT);
    char hook[160];
    snprintf(hook, sizeof hook, "TOKENFIX_WEBHOOK=%s", http_url(server));
    const char *const env[] = {hook, NULL};
    tf_program *p = BEGIN_ENV(f, env, "--every", "100ms", "--rounds", "1", "--check", "melted_unspent");
    assert_int_equal(http_wait(server, 1), 1);
    expect(p, "alerts: 1 raised"); /* it was the only round: it waits for the webhook alone */
    struct timespec begun, ended;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    end(p);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    assert_true(ended.tv_sec - begun.tv_sec < 10); /* as above */
    assert_has(p->out, "1 alert was not delivered to the webhook");
}

static pid_t read_pid(const char *path)
{
    for (int n = 0; n < 1500; n++) {
        int pid = 0;
        FILE *in = fopen(path, "r");
        if (in && fscanf(in, "%d\n", &pid) != 1)
            pid = 0;
        if (in)
            fclose(in);
        if (pid)
            return pid;
        usleep(20000);
    }
    return 0;
}

static void daemon__ends_a_command_that_does_not_want_to(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_fill(f, 5);
    alerts_make_indexes(f);
    char *folder = tf_folder_make(), path[160], command[400];
    snprintf(path, sizeof path, "%s/pid", folder);
    snprintf(command, sizeof command, "trap '' TERM; echo $$ >'%s'; while :; do sleep 1; done", path);
    tf_program *p = BEGIN(f, "--every", "1h", "--check", "melted_unspent", "--alert-command", command);
    pid_t pid = read_pid(path);
    assert_true(pid > 0);
    end(p);
    assert_has_not(p->out, "took longer");
    for (int n = 0; n < 250 && kill(pid, 0) == 0; n++)
        usleep(20000);
    assert_int_equal(kill(pid, 0), -1);
    tf_folder_remove(folder);
}

static void commands__that_fail_are_known_to_where_children_are_ignored(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_fill(f, 5);
    alerts_make_indexes(f);
    const char *const env[] = {"COLUMNS=400", NULL};
    signal(SIGCHLD, SIG_IGN); /* is inherited */
    tf_program *p = BEGIN_ENV(f, env, "--every", "1h", "--check", "melted_unspent", "--alert-command", "exit 3");
    signal(SIGCHLD, SIG_DFL);
    expect(p, "the alert command ended with status 3");
    end(p);
}

static void daemon__goes_on_where_nobody_reads(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_fill(f, 0);
    alerts_make_indexes(f);
    char *folder = tf_folder_make(), path[160], command[600];
    snprintf(path, sizeof path, "%s/told", folder);
    snprintf(command, sizeof command, "echo 1 >'%s'", path);
    int ends[2], status = -1;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fcntl(ends[0], F_SETPIPE_SZ, 4096);
    pid_t pid = fork();
    if (pid == 0) {
        setenv("TOKENFIX_URI", f->uri, 1);
        setenv("TOKENFIX_CONFIG", "/dev/null", 1);
        if (dup2(ends[1], 1) == 1)
            execl(getenv("TOKENFIX"), "tokenfix", "audit", "--every", "100ms", "--check", "melted_unspent", "--alert-command", command,
                  (char *)NULL);
        _exit(127);
    }
    assert_true(pid > 0);
    close(ends[1]);
    sleep(5); /* what there is room for is written */
    tf_tokens_insert(f, 500, 1, "npub1carl", "unspent");
    assert_true(read_pid(path) > 0);
    assert_int_equal(kill(pid, SIGTERM), 0);
    for (int n = 0; n < 1500 && waitpid(pid, &status, WNOHANG) == 0; n++)
        usleep(20000);
    assert_int_equal(status, 0);
    close(ends[0]);
    tf_folder_remove(folder);
}

static void daemon__tells_systemd(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_fill(f, 0);
    char *folder = tf_folder_make(), variable[200], memory[8192] = "", *text = memory, part[512];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/notify", folder);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 20}, sizeof(struct timeval));
    snprintf(variable, sizeof variable, "NOTIFY_SOCKET=%s", address.sun_path);
    const char *const env[] = {variable, "WATCHDOG_USEC=200000", NULL};
    tf_program *p = BEGIN_ENV(f, env, "--every", "1h");
    bool hup = false, term = false;
    for (int n = 0; n < 400 && !strstr(text, "STOPPING=1"); n++) {
        ssize_t got = recv(fd, part, sizeof part - 1, 0);
        assert_true(got > 0);
        part[got] = '\0';
        if (strlen(text) + strlen(part) + 2 < sizeof memory)
            snprintf(text + strlen(text), sizeof memory - strlen(text), "%s\n", part);
        if (!hup && strstr(text, "WATCHDOG=1") && strstr(text, "STATUS=degraded: indexes: missing indexes on"))
            hup = kill(p->pid, SIGHUP) == 0;
        if (hup && !term && strstr(text, "RELOADING=1"))
            term = kill(p->pid, SIGTERM) == 0;
    }
    tf_program_wait(p, 60);
    assert_exit(p, 0);
    assert_has(text, "READY=1");
    assert_has(text, "RELOADING=1");
    assert_has(text, "STOPPING=1");
    close(fd);
    tf_folder_remove(folder);
}

static void daemon__secrets_are_in_no_process_list(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_fill(f, 2);
    alerts_make_indexes(f);
    _cleanup_(http_stopp) http_server *server = http_serve(HTTP_OK);
    char *folder = tf_folder_make(), path[160], memory[8192] = "", *text = memory, proc[64];
    snprintf(path, sizeof path, "%s/s", folder);
    write_config(path, "top5ecret\n");
    tf_program *p = BEGIN(f, "--every", "1h", "--check", "melted_unspent", "--webhook", http_url(server), "--webhook-secret-file", path);
    alerts_expect(server, 0, "melted_unspent", "raised", "medium");
    snprintf(proc, sizeof proc, "/proc/%d/cmdline", p->pid);
    FILE *in = fopen(proc, "r");
    assert_non_null(in);
    size_t size = fread(text, 1, sizeof memory - 1, in);
    fclose(in);
    for (size_t i = 0; i < size; i++)
        text[i] = text[i] ? text[i] : ' ';
    assert_has(text, "--webhook ");
    assert_has_not(text, "/hook");
    assert_has_not(text, "top5ecret");
    end(p);
    assert_has_not(p->out, "top5ecret");
    tf_folder_remove(folder);
}

static void options__that_make_no_sense_are_refused(void **state)
{
    tf_fixture *f = *state;
    static const struct {
        const char *const argv[8];
        const char *message;
    } rows[] = {
        {{"audit", "--every", "soon"}, "'soon' is not a duration"},
        {{"audit", "--every", "-1"}, "'-1' is not a duration"},
        {{"audit", "--every", "1ms"}, "is not in the range allowed"},
        {{"audit", "--jitter"}, "option '--jitter' needs --every"},
        {{"audit", "--rounds", "3"}, "option '--rounds' needs --every"},
        {{"audit", "--every", "1s", "--jitter=2s"}, "is not a duration below that of --every"},
        {{"audit", "--every", "1s", "--format", "csv"}, "option '--format' does not go with --every"},
        {{"audit", "--every", "1s", "--diff"}, "option '--diff' does not go with --every"},
        {{"audit", "--webhook", "nonsense"}, "the webhook's address is not a URL"},
        {{"audit", "--webhook", "http://example.com/x"}, "would be called without encryption"},
        {{"audit", "--webhook", "https://x/", "--webhook-secret-file", "/nonexistent"}, "'/nonexistent' cannot be read"},
        {{"audit", "--webhook", "https://x/", "--webhook-ca-file", "/nonexistent"}, "'/nonexistent' cannot be read"},
        {{"audit", "--webhook-secret", "x"}, "would show the secret to everybody"},
        {{"audit", "--webhook-form", "xml"}, "'xml' is not one of json|slack"},
        {{"audit", "--alert-level", "none"}, "'none' is not one of low|medium|high"},
        {{"audit", "--alert-repeat", "x"}, "'x' is not a duration"},
        {{"audit", "--alert-threshold", "melted_unspent"}, "is not of the form CHECK=N"},
        {{"audit", "--alert-threshold", "melted_unspent=-1"}, "is not of the form CHECK=N"},
        {{"audit", "--alert-threshold", "melted_unspnt=1"}, "there is no check 'melted_unspnt'"},
        {{"audit", "--alert-slow", "x"}, "'x' is not a duration"},
        {{"audit", "--keep", "90"}, "'90' is not an age"},
        {{"audit", "--keep", "1m"}, "'1m' is less than a day"},
        {{"audit", "--keep", "90d", "--no-keep"}, "option '--keep' contradicts '--no-keep'"},
        {{"audit", "--every", "1h", "--keep", "soon"}, "'soon' is not an age"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tf_program *p = tf_program_exec(f, &(tf_program_options){.argv = rows[i].argv, .env = (const char *[]){"COLUMNS=200", NULL}});
        assert_exit(p, 2);
        assert_has(p->err, rows[i].message);
    }
}

static void daemon__that_may_not_log_in_ends(void **state)
{
    tf_fixture *f = *state;
    char uri[1200];
    const char *at = strchr(f->uri, '@');
    assert_non_null(at);
    snprintf(uri, sizeof uri, "mongodb://admin:wrong%s", at);
    tf_program *p = begin(f, uri, NULL, (const char *const[]){"--every", "1s", NULL});
    tf_program_wait(p, 60);
    assert_exit(p, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(rounds__are_one_line_each),
        TF_FIXTURE_TEST(rounds__are_objects_on_a_line_with_json),
        TF_FIXTURE_TEST(rounds__of_clean_data_are_healthy),
        TF_FIXTURE_TEST(alerts__are_raised_repeated_and_resolved_over_rounds),
        TF_FIXTURE_TEST(alerts__are_told_once_over_processes),
        TF_FIXTURE_TEST(alerts__that_were_not_delivered_are_told_by_the_next_process),
        TF_FIXTURE_TEST(alerts__that_are_open_are_told_to_a_channel_that_is_new),
        TF_FIXTURE_TEST(alerts__that_are_open_are_told_to_a_webhook_that_replaces_another),
        TF_FIXTURE_TEST(alerts__reach_the_command_too),
        TF_FIXTURE_TEST(thresholds__make_an_alert_high),
        TF_FIXTURE_TEST(executions__that_take_long_are_alerts),
        TF_FIXTURE_TEST(audits__of_the_read_only_user_change_nothing),
        TF_FIXTURE_TEST(audits__that_differ_are_kept_and_others_not),
        TF_FIXTURE_TEST(sighup__reads_the_configuration_again),
        TF_FIXTURE_TEST(sighup__with_a_configuration_that_cannot_be_is_refused),
        TF_FIXTURE_TEST(daemon__ends_in_the_middle_of_a_webhook),
        TF_FIXTURE_TEST(daemon__ends_in_the_middle_of_the_last_webhook),
        TF_FIXTURE_TEST(daemon__ends_a_command_that_does_not_want_to),
        TF_FIXTURE_TEST(commands__that_fail_are_known_to_where_children_are_ignored),
        TF_FIXTURE_TEST(daemon__goes_on_where_nobody_reads),
        TF_FIXTURE_TEST(daemon__tells_systemd),
        TF_FIXTURE_TEST(daemon__secrets_are_in_no_process_list),
        TF_FIXTURE_TEST(options__that_make_no_sense_are_refused),
        TF_FIXTURE_TEST(daemon__that_may_not_log_in_ends),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
