/*
 * The command line: every line of the input is an argument, or, as TOKENFIX_NAME=VALUE, a variable of the environment. What
 * could be read is put together to a connection; the file of --uri-file is made of the input's last line.
 */
#include "fuzz/fuzz.h"

#include "cmd/commands.h"
#include "cmd/connection.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <tokenfix/cleanup.h>
#include <unistd.h>

enum { ARGUMENTS = 64, VARIABLES = 16 };

static const tf_command *const commands[] = {
    &tf_cmd_status,  &tf_cmd_preview, &tf_cmd_validate, &tf_cmd_up,   &tf_cmd_verify,  &tf_cmd_down, &tf_cmd_history,
    &tf_cmd_plan,    &tf_cmd_create,  &tf_cmd_sandbox,  &tf_cmd_help, &tf_cmd_version, &tf_cmd_audit,
    &tf_cmd_ledger,  &tf_cmd_config,  NULL,
};

static size_t occurrences(char **argv, int argc, const char *word)
{
    size_t n = 0;
    for (int i = 0; *word && i < argc; i++)
        for (const char *at = argv[i]; (at = strstr(at, word)); at++)
            n++;
    return n;
}

/* A secret that stood in one argument stands in none any more, and in no message. */
static void check_wiped(const char *secret, size_t before, char **argv, int argc, const tf_error *err)
{
    if (!secret || strlen(secret) < 4 || before != 1 || strspn(secret, "x") == strlen(secret))
        return;
    FUZZ_CHECK(occurrences(argv, argc, secret) == 0);
    FUZZ_CHECK(!strstr(err->hint, secret));
}

static int memory_file(const char *text)
{
    int fd = memfd_create("uri", MFD_CLOEXEC);
    FUZZ_CHECK(fd >= 0 && fchmod(fd, 0600) == 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    return fd;
}

static void connect_to(tf_invocation *in, const char *last)
{
    tf_connection connection = {0};
    tf_error err = {0};
    char path[64];
    int fd = memory_file(last);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (in->globals.uri_file)
        in->globals.uri_file = path;
    FILE *before = stderr;
    stderr = fopen("/dev/null", "w"); /* its warnings */
    bool good = tf_connection_resolve(&in->globals, &connection, &err);
    fclose(stderr);
    stderr = before;
    FUZZ_CHECK(good == (err.code == TF_ERR_OK));
    FUZZ_CHECK(good || err.message[0]);
    if (good)
        FUZZ_CHECK(connection.uri && connection.db && connection.state_db && strlen(connection.db) < 64);
    tf_connection_done(&connection);
    close(fd);
}

static void parse(int argc, char **argv, const char *last)
{
    tf_invocation in = {0};
    tf_error err = {0};
    char *copies[ARGUMENTS + 2];
    for (int i = 0; i < argc; i++)
        copies[i] = strdup(argv[i]);
    bool good = tf_command_parse(commands, argc, argv, &in, &err);
    FUZZ_CHECK(good == (err.code == TF_ERR_OK));
    FUZZ_CHECK(good || (err.message[0] && tf_error_exit(err.code) > 0));
    if (in.globals.password && tf_options_source(&in.global_options, "password") == TF_SOURCE_FLAG)
        check_wiped(in.globals.password, occurrences(copies, argc, in.globals.password), argv, argc, &err);
    if (in.globals.uri && tf_options_source(&in.global_options, "uri") == TF_SOURCE_FLAG)
        check_wiped(in.globals.uri, occurrences(copies, argc, in.globals.uri), argv, argc, &err);
    if (good && in.command && in.command->run && !(in.command->flags & TF_CMD_NO_DATABASE))
        connect_to(&in, last);
    tf_invocation_done(&in);
    for (int i = 0; i < argc; i++)
        free(copies[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool alone;
    if (!alone) { /* nobody is there to be asked for a password */
        setsid();
        clearenv();
        mongoc_log_set_handler(NULL, NULL);
        FUZZ_CHECK(freopen("/dev/null", "r", stdin));
        alone = true;
    }
    char *text = fuzz_text(data, size), *rest = text, *line, *last = text, *argv[ARGUMENTS + 2] = {(char[]){"tokenfix"}};
    char *variables[VARIABLES] = {NULL};
    int argc = 1, count = 0;
    while (argc <= ARGUMENTS && (line = strsep(&rest, "\n"))) {
        char *equals = strchr(line, '=');
        last = line;
        if (strncmp(line, "TOKENFIX_", 9) != 0 || !equals || count == VARIABLES) {
            argv[argc++] = line;
            continue;
        }
        *equals = '\0';
        setenv(line, equals + 1, 1);
        variables[count++] = line;
    }
    char *file = strdup(last);
    parse(argc, argv, file);
    for (int i = 0; i < count; i++)
        unsetenv(variables[i]);
    free(file);
    free(text);
    return 0;
}
