/*
 * What the tests against a real server share.
 *
 *   static void status__of_an_empty_database(void **state)
 *   {
 *       tf_fixture *f = *state;                        a fresh database: f->db, f->client, f->uri
 *       tf_program *p = tf_program_run(f, "status", "--json", NULL);
 *       assert_int_equal(p->status, 0);
 *       ...tf_program_text(p, "data.migration.state")...
 *   }
 *   cmocka_unit_test_setup_teardown(status__of_an_empty_database, tf_fixture_setup, tf_fixture_teardown)   or
 *   TF_FIXTURE_TEST(status__of_an_empty_database)
 *
 * The server is the sandbox that ctest's fixture "server" starts: a replica set of one node with access control. A test
 * started by hand starts it itself, and ends it. TOKENFIX_TEST_URI names another server instead (an admin user's URI).
 */
#ifndef TF_TESTS_FIXTURE_H
#define TF_TESTS_FIXTURE_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/types.h>
#include <tokenfix/cleanup.h>
#include <tokenfix/error.h>

#include "sandbox/sandbox.h"

enum { TF_FIXTURE_LOGINS = 4 };

typedef struct tf_program tf_program;

typedef struct tf_fixture {
    char db[64];       /* random; dropped with the state database by the teardown */
    char state_db[80]; /* <db>_tokenfix */
    char uri[1024];    /* of an administrator; names db */
    mongoc_client_t *client;
    char login[TF_FIXTURE_LOGINS][768]; /* URIs made by tf_fixture_login */
    unsigned logins;
    tf_program *programs; /* freed by the teardown */
    char *state_home;     /* a server of one's own: XDG_STATE_HOME as it was */
} tf_fixture;

#define TF_FIXTURE_TEST(f) cmocka_unit_test_setup_teardown(f, tf_fixture_setup, tf_fixture_teardown)

int tf_fixture_setup(void **state);
int tf_fixture_teardown(void **state);

/* For a test that needs a server of its own (standalone, three members, access control): setup and teardown, and its start
 * with name and cache filled in; the fixture's client, uri and db ("wallet") belong to it then. */
#define TF_FIXTURE_OWN_TEST(f) cmocka_unit_test_setup_teardown(f, tf_fixture_own_setup, tf_fixture_own_teardown)
int tf_fixture_own_setup(void **state);
int tf_fixture_own_teardown(void **state);
void tf_fixture_own_server(tf_fixture *fixture, tf_sandbox_options options, tf_sandbox *sandbox);

/* A user who may do no more than kind says, on this fixture's two databases: "run" (the printed role; collection and
 * others as in db/role.h), "monitor", "reader" (the built-in role read). The URI belongs to the fixture. */
const char *tf_fixture_login(tf_fixture *fixture, const char *kind, const char *collection, const char *const *others);

/* From now on the program runs as a user who may do no more than a run needs (`collection` and `others` as above). Does nothing with
 * a server of one's own, and where a login was made already: the test says then who runs. */
void tf_fixture_least(tf_fixture *fixture, const char *collection, const char *const *others);

/* Inserts documents given as Extended JSON: one object or an array of them. Fails the test if the server refuses. */
void tf_fixture_insert(tf_fixture *fixture, const char *collection, const char *json);

/* Runs a command on the fixture's database; fails the test if it is refused. The caller destroys the reply. */
bson_t *tf_fixture_command(tf_fixture *fixture, const char *json);

/* How many documents match (Extended JSON) in a collection of a database (NULL: the repaired one). */
int64_t tf_fixture_count(tf_fixture *fixture, const char *db, const char *collection, const char *filter);

/* One run of the real binary, to its end or still going. */
struct tf_program {
    pid_t pid;      /* 0 once it ended */
    int status;     /* its exit status; 128 + n when signal n ended it */
    bool timed_out; /* killed because it did not end in time */
    char *out, *err;
    size_t out_size, err_size;
    bson_t *json; /* stdout, where it is JSON; else NULL */
    int out_fd, err_fd;
    tf_program *next;
};

typedef struct tf_program_options {
    const char *const *argv; /* arguments behind the program's name, NULL-terminated */
    const char *const *env;  /* "NAME=value" sets, "NAME" unsets; NULL-terminated; NULL: as it is */
    const char *input;       /* standard input; NULL: /dev/null */
    const char *uri;         /* TOKENFIX_URI; NULL: the fixture's; "": unset */
    bool test_registry;      /* tokenfix-test: with the migrations of tests/migrations */
    bool merge;              /* stderr goes into stdout, in the order written */
    bool terminal;           /* stdin, stdout and stderr are a terminal of 80 columns; all output is in out */
    int timeout_s;           /* 0: 60 */
} tf_program_options;

/* Starts it; its environment has no TOKENFIX_* but TOKENFIX_URI and TOKENFIX_CONFIG=/dev/null, and LC_ALL=C.UTF-8, TERM=dumb, COLUMNS=80. fixture may be NULL:
 * no URI then, and the caller frees. Never NULL. */
tf_program *tf_program_start(tf_fixture *fixture, const tf_program_options *options);

/* To be called by who forks and executes the program by hand, in the child: the driver's counters in shared memory are named after
 * the process, and those of one that was killed make it write a line of its own. */
void tf_program_forget_counters(void);

/* Waits for its end, at most timeout_s (0: 60), then kills it; reads what it wrote. */
void tf_program_wait(tf_program *program, int timeout_s);

/* Waits until its standard error (or output, if merged or a terminal) has this text; false when it ended before or after 60 s. */
bool tf_program_saw(tf_program *program, const char *text);

/* start + wait; the short form takes the arguments, then NULL. */
tf_program *tf_program_exec(tf_fixture *fixture, const tf_program_options *options);
tf_program *tf_program_run(tf_fixture *fixture, ...) __attribute__((sentinel));

/* A value of its JSON by dotted path; fails the test if it is not there or of another type. */
const char *tf_program_text(const tf_program *program, const char *path);
int64_t tf_program_number(const tf_program *program, const char *path);
bool tf_program_flag(const tf_program *program, const char *path);
bool tf_program_has(const tf_program *program, const char *path);

/* Ends and frees every program started so far: for tests that start hundreds. */
void tf_fixture_forget(tf_fixture *fixture);

void tf_program_free(tf_program *program);
TF_CLEANUP(tf_program *, tf_program_free)

/* The path of the binary under test (TOKENFIX or, with the tests' migrations, TF_TEST_TOKENFIX). */
const char *tf_program_path(bool test_registry);

/* A fresh folder under TMPDIR; the caller removes it with tf_folder_remove and frees the name. */
char *tf_folder_make(void);
void tf_folder_remove(char *path);

#endif
