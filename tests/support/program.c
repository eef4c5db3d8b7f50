/* Runs the real binary. What it writes goes to memory files: no pipe can fill up, and what came so far can be read. */
#include "support/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { PAUSE_MS = 5, PATIENCE_S = 60, ARGUMENTS = 64, VARIABLES = 512 };

const char *tf_program_path(bool test_registry)
{
    const char *given = getenv(test_registry ? "TF_TEST_TOKENFIX" : "TOKENFIX");
    return given ? given : test_registry ? TF_TEST_TOKENFIX_PATH : TF_TEST_PROGRAM_PATH;
}

static bool names(const char *entry, const char *name)
{
    size_t length = strcspn(name, "=");
    return strncmp(entry, name, length) == 0 && (entry[length] == '=' || entry[length] == '\0');
}

static void put(const char **env, size_t *count, const char *entry)
{
    size_t at = 0;
    while (at < *count && !names(env[at], entry))
        at++;
    if (strchr(entry, '=')) {
        assert_true(at + 1 < VARIABLES);
        env[at] = entry;
        *count += at == *count;
    } else if (at < *count) {
        env[at] = env[--*count];
    }
    env[*count] = NULL;
}

static void make_environment(const tf_fixture *fixture, const tf_program_options *options, char *uri, size_t size,
                             const char **env)
{
    size_t count = 0;
    for (char **at = environ; *at && count + 1 < VARIABLES; at++)
        if (strncmp(*at, "TOKENFIX_", 9) != 0 || strncmp(*at, "TOKENFIX_MONGOD=", 16) == 0)
            env[count++] = *at;
    env[count] = NULL;
    put(env, &count, "LC_ALL=C.UTF-8");
    put(env, &count, options->terminal ? "TERM=xterm" : "TERM=dumb");
    put(env, &count, "COLUMNS=80");
    put(env, &count, "NO_COLOR");
    put(env, &count, "TOKENFIX_CONFIG=/dev/null"); /* not the developer's own */
    const char *chosen = options->uri ? options->uri : fixture ? fixture->uri : "";
    if (chosen[0]) {
        snprintf(uri, size, "TOKENFIX_URI=%s", chosen);
        put(env, &count, uri);
    }
    for (const char *const *at = options->env; at && *at; at++)
        put(env, &count, *at);
}

static int memory_file(const char *text)
{
    int fd = memfd_create("tokenfix-test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    size_t length = text ? strlen(text) : 0;
    if (length > 0)
        assert_int_equal(pwrite(fd, text, length, 0), length);
    return fd;
}

/* What a killed program with the same number left behind: the driver would say on standard error that it is in its way. */
void tf_program_forget_counters(void)
{
    char name[64];
    snprintf(name, sizeof name, "/mongoc-%d", (int)getpid());
    shm_unlink(name);
}

static _Noreturn void child_main(int in, int out, int err, int terminal, const char *const *argv, const char **env)
{
    tf_program_forget_counters();
    if (terminal >= 0 && (setsid() < 0 || ioctl(terminal, TIOCSCTTY, 0) != 0))
        _exit(126);
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
        _exit(126);
    signal(SIGINT, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    execve(argv[0], (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)env);
    _exit(127);
}

/* The parent keeps the terminal's other side as out_fd. */
static int open_terminal(int *other)
{
    *other = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(*other >= 0 && grantpt(*other) == 0 && unlockpt(*other) == 0);
    char name[128];
    assert_int_equal(ptsname_r(*other, name, sizeof name), 0);
    int terminal = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(terminal >= 0);
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    assert_int_equal(ioctl(terminal, TIOCSWINSZ, &size), 0);
    return terminal;
}

tf_program *tf_program_start(tf_fixture *fixture, const tf_program_options *options)
{
    const char *argv[ARGUMENTS] = {tf_program_path(options->test_registry)};
    size_t count = 1;
    for (const char *const *at = options->argv; at && *at; at++) {
        assert_true(count + 1 < ARGUMENTS);
        argv[count++] = *at;
    }
    const char *env[VARIABLES];
    char uri[4096];
    make_environment(fixture, options, uri, sizeof uri, env);
    tf_program *program = calloc(1, sizeof *program);
    assert_non_null(program);
    int terminal = -1, in;
    if (options->terminal) {
        in = terminal = open_terminal(&program->out_fd);
        program->err_fd = -1;
        if (options->input)
            assert_int_equal(write(program->out_fd, options->input, strlen(options->input)), strlen(options->input));
    } else {
        in = options->input ? memory_file(options->input) : open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_true(in >= 0);
        program->out_fd = memory_file(NULL);
        program->err_fd = options->merge ? -1 : memory_file(NULL);
    }
    int out = terminal >= 0 ? terminal : program->out_fd;
    int err = terminal >= 0 ? terminal : options->merge ? out : program->err_fd;
    /* both streams share a position when merged: a second dup of one open file */
    program->pid = fork();
    assert_true(program->pid >= 0);
    if (program->pid == 0)
        child_main(in, out, err, terminal, argv, env);
    close(in);
    if (fixture) {
        program->next = fixture->programs;
        fixture->programs = program;
    }
    return program;
}

static void append(char **text, size_t *size, const char *more, size_t length)
{
    char *grown = realloc(*text, *size + length + 1);
    assert_non_null(grown);
    memcpy(grown + *size, more, length);
    *size += length;
    grown[*size] = '\0';
    *text = grown;
}

/* Reads what came since; a terminal is read as a stream, a memory file at its position. */
static void collect(int fd, char **text, size_t *size)
{
    char block[8192];
    struct stat file;
    if (fd < 0)
        return;
    bool memory = fstat(fd, &file) == 0 && S_ISREG(file.st_mode);
    for (;;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (!memory && (poll(&ready, 1, 0) != 1 || !(ready.revents & POLLIN)))
            return;
        ssize_t n = memory ? pread(fd, block, sizeof block, (off_t)*size) : read(fd, block, sizeof block);
        if (n <= 0)
            return;
        append(text, size, block, (size_t)n);
    }
}

static void collect_all(tf_program *program)
{
    collect(program->out_fd, &program->out, &program->out_size);
    collect(program->err_fd, &program->err, &program->err_size);
}

static bool ended(tf_program *program)
{
    if (program->pid == 0)
        return true;
    int status;
    pid_t got = waitpid(program->pid, &status, WNOHANG);
    assert_true(got >= 0 || errno == EINTR);
    if (got != program->pid)
        return false;
    program->pid = 0;
    program->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return true;
}

static void rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000 * 1000}, NULL);
}

void tf_program_wait(tf_program *program, int timeout_s)
{
    int64_t left = (int64_t)(timeout_s ? timeout_s : PATIENCE_S) * 1000;
    while (!ended(program)) {
        collect_all(program);
        if ((left -= PAUSE_MS) < 0 && !program->timed_out) {
            program->timed_out = true;
            kill(program->pid, SIGKILL);
        }
        rest();
    }
    collect_all(program);
    append(&program->out, &program->out_size, "", 0);
    append(&program->err, &program->err_size, "", 0);
    if (program->out[0] == '{' && !program->json)
        program->json = bson_new_from_json((const uint8_t *)program->out, (ssize_t)program->out_size, NULL);
    if (program->timed_out)
        print_error("the program did not end in time; it said: %s\n%s\n", program->out, program->err);
}

bool tf_program_saw(tf_program *program, const char *text)
{
    for (int left = PATIENCE_S * 1000; left > 0; left -= PAUSE_MS) {
        bool over = ended(program);
        collect_all(program);
        const char *where = program->err_fd >= 0 ? program->err : program->out;
        if (where && strstr(where, text))
            return true;
        if (over)
            return false;
        rest();
    }
    return false;
}

tf_program *tf_program_exec(tf_fixture *fixture, const tf_program_options *options)
{
    tf_program *program = tf_program_start(fixture, options);
    tf_program_wait(program, options->timeout_s);
    return program;
}

tf_program *tf_program_run(tf_fixture *fixture, ...)
{
    const char *argv[ARGUMENTS] = {NULL};
    size_t count = 0;
    va_list args;
    va_start(args, fixture);
    for (const char *at; (at = va_arg(args, const char *));) {
        assert_true(count + 1 < ARGUMENTS);
        argv[count++] = at;
    }
    va_end(args);
    return tf_program_exec(fixture, &(tf_program_options){.argv = argv});
}

static bool find(const tf_program *program, const char *path, bson_iter_t *found)
{
    bson_iter_t at;
    return program->json && bson_iter_init(&at, program->json) && bson_iter_find_descendant(&at, path, found);
}

static void must_find(const tf_program *program, const char *path, bson_iter_t *found)
{
    if (!find(program, path, found))
        fail_msg("no %s in the output: %s\n%s", path, program->out, program->err);
}

bool tf_program_has(const tf_program *program, const char *path)
{
    bson_iter_t at;
    return find(program, path, &at);
}

const char *tf_program_text(const tf_program *program, const char *path)
{
    bson_iter_t at;
    must_find(program, path, &at);
    if (!BSON_ITER_HOLDS_UTF8(&at))
        fail_msg("%s is no string: %s", path, program->out);
    return bson_iter_utf8(&at, NULL);
}

int64_t tf_program_number(const tf_program *program, const char *path)
{
    bson_iter_t at;
    must_find(program, path, &at);
    if (!BSON_ITER_HOLDS_INT(&at))
        fail_msg("%s is no integer: %s", path, program->out);
    return bson_iter_as_int64(&at);
}

bool tf_program_flag(const tf_program *program, const char *path)
{
    bson_iter_t at;
    must_find(program, path, &at);
    if (!BSON_ITER_HOLDS_BOOL(&at))
        fail_msg("%s is no boolean: %s", path, program->out);
    return bson_iter_bool(&at);
}

void tf_program_free(tf_program *program)
{
    if (!program)
        return;
    if (program->pid > 0) {
        kill(program->pid, SIGKILL);
        while (waitpid(program->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    close(program->out_fd);
    if (program->err_fd >= 0)
        close(program->err_fd);
    free(program->out);
    free(program->err);
    bson_destroy(program->json);
    free(program);
}
