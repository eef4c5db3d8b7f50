/* Backups as files: a folder for them, and the commands under the least roles. */
#ifndef TF_TESTS_BACKUPS_H
#define TF_TESTS_BACKUPS_H

#include "base/dir.h"
#include "support/documents.h"
#include "support/role.h"
#include "support/tokens.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct backups {
    tf_fixture *f;
    char *folder, dir[256];      /* dir: DIR, not made yet */
    char run[1024], purge[1024]; /* connection strings of the least roles */
    char id[64];                 /* of the run of backups_up */
    char set[512];               /* DIR/<id> */
} backups;

static inline int backups_setup(void **state)
{
    static backups b;
    void *made = NULL;
    int failed = tf_fixture_setup(&made);
    b = (backups){.f = made, .folder = tf_folder_make()};
    snprintf(b.dir, sizeof b.dir, "%s/backups", b.folder);
    *state = &b;
    return failed;
}

static inline int backups_teardown(void **state)
{
    backups *b = *state;
    void *made = b->f;
    tf_folder_remove(b->folder);
    return role_teardown(&made);
}

#define BACKUPS_TEST(f) cmocka_unit_test_setup_teardown(f, backups_setup, backups_teardown)

/* As who may run and nothing else; as who may purge and nothing else. */
static inline void backups_roles(backups *b)
{
    create_printed_role(b->f, "run", b->run, sizeof b->run);
    create_printed_role(b->f, "purge", b->purge, sizeof b->purge);
}

#define backup_as(b, who, ...) AS((b)->f, (who), "backup", __VA_ARGS__, "--json")
#define backup(b, ...) backup_as((b), (b)->run[0] ? (b)->run : (b)->f->uri, __VA_ARGS__)
#define export_it(b, ...) backup((b), "export", "--out", (b)->dir, ##__VA_ARGS__)
#define import_it(b, ...) backup((b), "import", (b)->set, ##__VA_ARGS__)
#define purge_it(b, ...)                                                                                               \
    backup_as((b), (b)->purge[0] ? (b)->purge : (b)->f->uri, "purge", (b)->id, "--dir", (b)->dir, ##__VA_ARGS__)

static inline void backups_named(backups *b, const char *id)
{
    snprintf(b->id, sizeof b->id, "%s", id);
    snprintf(b->set, sizeof b->set, "%s/%s", b->dir, id);
}

/* A completed `up` of so many tokens, in several batches of two partitions at least. */
static inline void backups_up(backups *b, int count)
{
    tf_tokens_fill(b->f, count);
    tf_program *p = tf_up(b->f, "--batch-size", "3", "--workers", "2");
    assert_exit(p, 0);
    backups_named(b, tf_program_text(p, "data.run"));
}

static inline const char *backups_collection(backups *b)
{
    static char name[128];
    snprintf(name, sizeof name, "backup_%s", b->id);
    return name;
}

/* Somebody drops the backup collection. */
static inline void backups_lose(backups *b)
{
    _cleanup_(bson_destroyp) bson_t *command = BCON_NEW("drop", BCON_UTF8(backups_collection(b)));
    bson_error_t error;
    if (!mongoc_client_command_simple(b->f->client, b->f->state_db, command, NULL, NULL, &error))
        fail_msg("%s", error.message);
}

static inline int64_t backups_held(backups *b)
{
    return tf_fixture_count(b->f, b->f->state_db, backups_collection(b), "{}");
}

static inline int64_t backups_events(backups *b, const char *type)
{
    char filter[64];
    snprintf(filter, sizeof filter, "{\"type\": \"%s\"}", type);
    return tf_fixture_count(b->f, b->f->state_db, "events", filter);
}

static inline void backups_assert_trail(backups *b)
{
    assert_exit(tf_program_run(b->f, "history", "--verify", NULL), 0);
}

/* DIR holds exactly these names, in their order; "" ends. */
static inline void backups_assert_names(const char *path, const char *const *expected)
{
    tf_error err = {0};
    int dir = tf_dir_open(path, false, &err);
    char **names = dir < 0 ? NULL : tf_dir_names(dir, path, &err);
    assert_non_null(names);
    size_t n = 0;
    for (; expected[n] && names[n]; n++)
        assert_string_equal(names[n], expected[n]);
    if (expected[n] || names[n])
        fail_msg("'%s' holds '%s' where '%s' was expected", path, names[n] ? names[n] : "(nothing)",
                 expected[n] ? expected[n] : "(nothing)");
    tf_dir_names_free(names);
    close(dir);
}
#define ASSERT_NAMES(path, ...) backups_assert_names((path), (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

/* Another `up`, of five more tokens: it is alive, and rests until backups_continue. */
static inline tf_program *backups_paused_up(backups *b)
{
    char file[512];
    snprintf(file, sizeof file, "%s/pause", b->folder);
    close(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    tf_tokens_insert(b->f, 5001, 5, "npub1anna", "unspent");
    const char *const argv[] = {"up", "--again", "--confirm", "--yes", "--json", "--pause-file", file, NULL};
    tf_program *up = tf_program_start(b->f, &(tf_program_options){.argv = argv});
    int64_t waits = 0;
    while (tf_fixture_count(b->f, b->f->state_db, "runs", "{\"state\": \"paused\"}") == 0 && waits++ < 3000)
        usleep(20000);
    assert_true(waits < 3000);
    return up;
}

static inline void backups_continue(backups *b, tf_program *up)
{
    char file[512];
    snprintf(file, sizeof file, "%s/pause", b->folder);
    assert_int_equal(unlink(file), 0);
    tf_program_wait(up, 120);
    assert_exit(up, 0);
}

/* The content of a file in a folder; of `folder` itself, a file, where the name is empty. The caller frees. */
static inline char *backups_file(const char *folder, const char *name, size_t *length)
{
    char path[1024];
    struct stat about;
    snprintf(path, sizeof path, "%s%s%s", folder, *name ? "/" : "", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &about) == 0);
    char *data = calloc(1, (size_t)about.st_size + 1);
    assert_int_equal(read(fd, data, (size_t)about.st_size), about.st_size);
    close(fd);
    if (length)
        *length = (size_t)about.st_size;
    return data;
}

static inline void backups_write(const char *path, const void *data, size_t length, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    assert_true(fd >= 0 && write(fd, data, length) == (ssize_t)length && fchmod(fd, mode) == 0);
    close(fd);
}

#endif
