/* The sandbox by its functions. Each test has a state folder of its own; the mongod is the one in the cache. */
#include "support/fixture.h"

#include "db/role.h"
#include "sandbox/sandbox.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int setup(void **state)
{
    mongoc_init();
    mongoc_log_set_handler(NULL, NULL);
    *state = tf_folder_make();
    setenv("XDG_STATE_HOME", *state, 1);
    return 0;
}

/* Whatever a failed test left running is ended. */
static int teardown(void **state)
{
    _cleanup_free_ tf_sandbox *list = NULL;
    size_t count = 0;
    tf_sandbox_stopped stopped;
    if (tf_sandbox_list(&list, &count, NULL))
        for (size_t i = 0; i < count; i++)
            tf_sandbox_stop(list[i].name, true, &stopped, NULL);
    tf_folder_remove(*state);
    return 0;
}

static void start(tf_sandbox_options options, tf_sandbox *sandbox)
{
    tf_error err = {0};
    options.cache_mb = 256;
    if (!tf_sandbox_start(&options, sandbox, &err))
        fail_msg("%s: %s", err.message, err.detail);
    assert_true(tf_sandbox_running(sandbox));
}

static tf_sandbox_stopped end(const char *name, bool remove)
{
    tf_error err = {0};
    tf_sandbox_stopped stopped;
    if (!tf_sandbox_stop(name, remove, &stopped, &err))
        fail_msg("%s: %s", err.message, err.detail);
    return stopped;
}

static mongoc_client_t *client_of(const tf_sandbox *sandbox, const char *login)
{
    char uri[TF_SANDBOX_URI];
    assert_true(tf_sandbox_uri(sandbox, login, NULL, uri, sizeof uri));
    mongoc_client_t *client = mongoc_client_new(uri);
    assert_non_null(client);
    mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2);
    return client;
}

/* The server's code for a command, 0 when it went through. */
static uint32_t code_of(const tf_sandbox *sandbox, const char *login, const char *db, const char *json)
{
    _cleanup_(mongoc_client_destroyp) mongoc_client_t *client = client_of(sandbox, login);
    _cleanup_(bson_destroyp) bson_t *command = bson_new_from_json((const uint8_t *)json, -1, NULL);
    assert_non_null(command);
    bson_error_t error = {0};
    return mongoc_client_command_simple(client, db, command, NULL, NULL, &error) ? 0 : error.code;
}

static int64_t count(const tf_sandbox *sandbox, const char *db)
{
    _cleanup_(mongoc_client_destroyp) mongoc_client_t *client = client_of(sandbox, NULL);
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *things =
        mongoc_client_get_collection(client, db, "things");
    _cleanup_bson_ bson_t all = BSON_INITIALIZER;
    return mongoc_collection_count_documents(things, &all, NULL, NULL, NULL, NULL);
}

static const char insert[] =
    "{\"insert\": \"things\", \"documents\": [{}, {}], \"writeConcern\": {\"w\": \"majority\"}}";

static void sandbox__starts_stops_and_keeps_its_data(void **state)
{
    (void)state;
    tf_sandbox first, again, seen;
    start((tf_sandbox_options){0}, &first);
    assert_int_equal(code_of(&first, NULL, "wallet", insert), 0);
    start((tf_sandbox_options){0}, &again); /* runs already: left as it is */
    assert_int_equal(again.node[0].process.pid, first.node[0].process.pid);
    assert_true(tf_sandbox_status(NULL, &seen, NULL));
    assert_true(tf_sandbox_running(&seen));
    struct stat folder;
    assert_int_equal(stat(first.folder, &folder), 0);
    assert_int_equal(folder.st_mode & 0777, 0700);

    tf_sandbox_stopped stopped = end(NULL, false);
    assert_int_equal(stopped.ended, 1);
    assert_int_equal(stopped.stale, 0);
    assert_false(tf_process_alive(&first.node[0].process));
    stopped = end(NULL, false);
    assert_int_equal(stopped.ended + stopped.stale, 0);

    start((tf_sandbox_options){0}, &again);
    assert_int_equal(count(&again, "wallet"), 2);
    end(NULL, true);
    assert_int_not_equal(access(first.folder, F_OK), 0);
    tf_error err = {0};
    assert_false(tf_sandbox_status(NULL, &seen, &err));
    assert_int_equal(err.code, TF_ERR_NOT_FOUND);
}

static void sandbox__of_three_nodes_replicates(void **state)
{
    (void)state;
    tf_sandbox sandbox;
    start((tf_sandbox_options){.name = "three", .nodes = 3}, &sandbox);
    assert_int_equal(code_of(&sandbox, NULL, "wallet",
                             "{\"insert\": \"things\", \"documents\": [{}], \"writeConcern\": {\"w\": 3}}"),
                     0);
    assert_int_equal(end("three", false).ended, 3);
    for (unsigned i = 0; i < 3; i++)
        assert_false(tf_process_alive(&sandbox.node[i].process));
}

static void sandbox__gets_back_the_node_it_lost(void **state)
{
    (void)state;
    tf_sandbox before, after;
    start((tf_sandbox_options){.nodes = 3}, &before);
    assert_int_equal(kill(before.node[1].process.pid, SIGKILL), 0);
    while (tf_process_alive(&before.node[1].process))
        usleep(10000);
    start((tf_sandbox_options){0}, &after);
    assert_int_equal(after.nodes, 3);
    assert_int_equal(after.node[0].process.pid, before.node[0].process.pid);
    assert_int_not_equal(after.node[1].process.pid, before.node[1].process.pid);
    assert_int_equal(after.node[1].port, before.node[1].port);
}

static void sandbox__standalone_has_no_replica_set(void **state)
{
    (void)state;
    tf_sandbox sandbox;
    static const char *const parameters[] = {"transactionLifetimeLimitSeconds=17", NULL};
    start((tf_sandbox_options){.standalone = true, .parameters = parameters}, &sandbox);
    assert_int_equal(code_of(&sandbox, NULL, "admin", "{\"replSetGetStatus\": 1}"), 76); /* NoReplicationEnabled */
    assert_int_equal(code_of(&sandbox, NULL, "admin", "{\"configureFailPoint\": \"noSuch\", \"mode\": \"off\"}"),
                     266); /* FailPointSetFailed: the command exists, so test commands are enabled */
    _cleanup_(mongoc_client_destroyp) mongoc_client_t *client = client_of(&sandbox, NULL);
    _cleanup_bson_ bson_t ask = BSON_INITIALIZER;
    BCON_APPEND(&ask, "getParameter", BCON_INT32(1), "transactionLifetimeLimitSeconds", BCON_INT32(1));
    _cleanup_bson_ bson_t reply;
    assert_true(mongoc_client_command_simple(client, "admin", &ask, NULL, &reply, NULL));
    bson_iter_t at;
    assert_true(bson_iter_init_find(&at, &reply, "transactionLifetimeLimitSeconds"));
    assert_int_equal(bson_iter_as_int64(&at), 17);
}

static void check_users(tf_sandbox_options options)
{
    _cleanup_bson_ bson_t run = BSON_INITIALIZER;
    _cleanup_bson_ bson_t reader = BSON_INITIALIZER;
    tf_role_document("run", "wallet", "wallet_tokenfix", "things", NULL, &run);
    BCON_APPEND(&reader, "0", "{", "role", "read", "db", "wallet", "}");
    const tf_sandbox_user users[] = {{.name = "run", .privileges = &run},
                                     {.name = "reader", .roles = &reader},
                                     {.name = "x509", .roles = &reader, .certificate = true}};
    options.auth = true;
    options.users = users;
    options.users_count = options.tls ? 3 : 2;
    tf_sandbox sandbox;
    start(options, &sandbox);
    assert_int_equal(sandbox.logins, options.users_count + 1);
    if (options.tls) {
        assert_int_equal(code_of(&sandbox, "x509", "wallet", "{\"find\": \"things\"}"), 0);
        assert_int_equal(code_of(&sandbox, "x509", "wallet", insert), 13);
    }
    assert_int_equal(code_of(&sandbox, "admin", "wallet", insert), 0);
    assert_int_equal(code_of(&sandbox, "run", "wallet", insert), 13);
    assert_int_equal(code_of(&sandbox, "run", "wallet_tokenfix", insert), 0);
    assert_int_equal(code_of(&sandbox, "run", "wallet", "{\"find\": \"things\"}"), 0);
    assert_int_equal(code_of(&sandbox, "reader", "wallet", "{\"find\": \"things\"}"), 0);
    assert_int_equal(code_of(&sandbox, "reader", "wallet_tokenfix", "{\"find\": \"things\"}"), 13);
    snprintf(sandbox.login[0].password, sizeof sandbox.login[0].password, "wrong");
    assert_int_not_equal(code_of(&sandbox, "admin", "wallet", insert), 0);
    sandbox.auth = false;
    sandbox.logins = 0;
    assert_int_equal(code_of(&sandbox, NULL, "wallet", insert), 13);

    char path[PATH_MAX + 20];
    static const char *const secret[] = {"sandbox.json", "keyfile"};
    for (size_t i = 0; i < 2; i++) {
        struct stat file;
        snprintf(path, sizeof path, "%s/%s", sandbox.folder, secret[i]);
        assert_int_equal(stat(path, &file), 0);
        assert_int_equal(file.st_mode & 0777, 0600);
    }
    tf_error err = {0};
    assert_true(tf_sandbox_reset(options.name, &err));
    tf_sandbox again;
    end(options.name, false);
    start((tf_sandbox_options){.name = options.name}, &again); /* users survive reset and restart */
    assert_int_equal(code_of(&again, "run", "wallet", "{\"find\": \"things\"}"), 0);
    assert_int_equal(count(&again, "wallet"), 0);
}

static void sandbox__with_auth_admits_its_users_only(void **state)
{
    (void)state;
    check_users((tf_sandbox_options){0});
}

/* Whether a connection string made of the sandbox's own leads to a server that answers. */
static bool answers(const tf_sandbox *sandbox, const char *options)
{
    char uri[TF_SANDBOX_URI + 256];
    bson_error_t error;
    snprintf(uri, sizeof uri, "mongodb://127.0.0.1:%d/?directConnection=true&serverSelectionTimeoutMS=3000%s",
             sandbox->node[0].port, options);
    _cleanup_(mongoc_client_destroyp) mongoc_client_t *client = mongoc_client_new(uri);
    assert_non_null(client);
    _cleanup_bson_ bson_t ping = BSON_INITIALIZER;
    BSON_APPEND_INT32(&ping, "ping", 1);
    return mongoc_client_command_simple(client, "admin", &ping, NULL, NULL, &error);
}

static void sandbox__with_tls_takes_nothing_else(void **state)
{
    (void)state;
    tf_sandbox sandbox, again;
    tf_error err = {0};
    char uri[TF_SANDBOX_URI], file[PATH_MAX + 64];
    start((tf_sandbox_options){.name = "tls", .tls = true}, &sandbox);
    assert_int_equal(code_of(&sandbox, NULL, "wallet", insert), 0);
    assert_true(tf_sandbox_uri(&sandbox, NULL, NULL, uri, sizeof uri));
    const char *tls = strstr(uri, "&tls=true");
    assert_non_null(tls);
    assert_true(answers(&sandbox, tls));
    assert_false(answers(&sandbox, ""));
    assert_false(answers(&sandbox, "&tls=true&tlsAllowInvalidCertificates=true")); /* no certificate of the client */
    snprintf(file, sizeof file, "&tls=true&tlsCertificateKeyFile=%s/client.pem", sandbox.folder);
    assert_false(answers(&sandbox, file)); /* an authority that the system does not know */
    static const char *const secret[] = {"server.pem", "client.pem"};
    for (size_t i = 0; i < 2; i++) {
        struct stat about;
        snprintf(file, sizeof file, "%s/%s", sandbox.folder, secret[i]);
        assert_int_equal(stat(file, &about), 0);
        assert_int_equal(about.st_mode & 0777, 0600);
    }
    end(sandbox.name, false);
    start((tf_sandbox_options){.name = sandbox.name}, &again); /* goes on with TLS */
    assert_true(again.tls);
    assert_int_equal(count(&again, "wallet"), 2);
    start((tf_sandbox_options){.name = "plain"}, &again);
    assert_false(tf_sandbox_start(&(tf_sandbox_options){.name = "plain", .tls = true}, &again, &err));
    assert_int_equal(err.code, TF_ERR_USAGE);
}

static void sandbox__with_tls_and_auth_admits_a_certificate_on_three_nodes(void **state)
{
    (void)state;
    check_users((tf_sandbox_options){.tls = true, .nodes = 3});
}

static void sandbox__with_auth_works_on_three_nodes(void **state)
{
    (void)state;
    check_users((tf_sandbox_options){.nodes = 3});
}

static void reset__drops_every_database_of_the_user(void **state)
{
    (void)state;
    tf_sandbox sandbox;
    tf_error err = {0};
    start((tf_sandbox_options){0}, &sandbox);
    assert_int_equal(code_of(&sandbox, NULL, "one", insert), 0);
    assert_int_equal(code_of(&sandbox, NULL, "two", insert), 0);
    assert_true(tf_sandbox_reset(NULL, &err));
    assert_int_equal(count(&sandbox, "one"), 0);
    assert_int_equal(count(&sandbox, "two"), 0);
    assert_int_equal(code_of(&sandbox, NULL, "one", insert), 0);
    end(NULL, false);
    assert_false(tf_sandbox_reset(NULL, &err));
    assert_int_equal(err.code, TF_ERR_CONNECT);
}

static void sandboxes__run_side_by_side(void **state)
{
    (void)state;
    tf_sandbox a, b;
    start((tf_sandbox_options){.name = "a", .standalone = true}, &a);
    start((tf_sandbox_options){.name = "b", .standalone = true, .database = "other"}, &b);
    assert_int_not_equal(a.node[0].port, b.node[0].port);
    assert_int_equal(code_of(&a, NULL, "wallet", insert), 0);
    assert_int_equal(count(&b, "wallet"), 0);
    assert_string_equal(b.database, "other");
    _cleanup_free_ tf_sandbox *list = NULL;
    size_t found = 0;
    assert_true(tf_sandbox_list(&list, &found, NULL));
    assert_int_equal(found, 2);
    assert_string_equal(list[0].name, "a");
    assert_string_equal(list[1].name, "b");
    end("a", true);
    assert_true(tf_process_alive(&b.node[0].process));
}

static void stop__after_a_crash_says_that_the_state_was_stale(void **state)
{
    (void)state;
    tf_sandbox sandbox, again;
    start((tf_sandbox_options){0}, &sandbox);
    assert_int_equal(code_of(&sandbox, NULL, "wallet", insert), 0);
    assert_int_equal(kill(sandbox.node[0].process.pid, SIGKILL), 0);
    while (tf_process_alive(&sandbox.node[0].process))
        usleep(10000);
    assert_true(tf_sandbox_status(NULL, &again, NULL));
    assert_false(tf_sandbox_running(&again));
    tf_sandbox_stopped stopped = end(NULL, false);
    assert_int_equal(stopped.ended, 0);
    assert_int_equal(stopped.stale, 1);
    start((tf_sandbox_options){0}, &again);
    assert_int_equal(count(&again, "wallet"), 2);
}

/* The state names a living process by pid, with another start time: as if the pid had been given out again. */
static void stop__spares_a_process_that_got_the_pid_later(void **state)
{
    (void)state;
    tf_sandbox sandbox;
    start((tf_sandbox_options){.standalone = true}, &sandbox);
    assert_int_equal(kill(sandbox.node[0].process.pid, SIGKILL), 0);
    while (tf_process_alive(&sandbox.node[0].process))
        usleep(10000);
    pid_t other = fork();
    assert_true(other >= 0);
    if (other == 0) {
        pause();
        _exit(0);
    }
    char path[PATH_MAX + 20], from[64], to[64];
    snprintf(path, sizeof path, "%s/sandbox.json", sandbox.folder);
    snprintf(from, sizeof from, "\"%d\"", (int)sandbox.node[0].process.pid);
    snprintf(to, sizeof to, "\"%d\"", (int)other);
    char text[8192];
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    const char *at = strstr(text, from);
    assert_non_null(at);
    file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    fclose(file);
    tf_sandbox read;
    assert_true(tf_sandbox_status(NULL, &read, NULL));
    assert_int_equal(read.node[0].process.pid, other); /* the mutilation took */
    assert_false(tf_sandbox_running(&read));
    tf_sandbox_stopped stopped = end(NULL, true);
    assert_int_equal(stopped.ended, 0);
    assert_int_equal(stopped.stale, 1);
    assert_int_equal(waitpid(other, NULL, WNOHANG), 0);
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
}

/* A starter that is killed leaves a state from which the next one begins anew. */
static void start__after_a_killed_starter_begins_anew(void **state)
{
    (void)state;
    for (int delay = 20000; delay <= 320000; delay *= 4) {
        pid_t starter = fork();
        assert_true(starter >= 0);
        if (starter == 0) {
            const char *argv[] = {tf_program_path(false), "sandbox", "start", "--nodes", "3", "--quiet", NULL};
            execv(argv[0], (char *const *)(uintptr_t)argv);
            _exit(127);
        }
        usleep((useconds_t)delay);
        kill(starter, SIGKILL);
        waitpid(starter, NULL, 0);
        tf_sandbox sandbox;
        start((tf_sandbox_options){0}, &sandbox);
        assert_int_equal(code_of(&sandbox, NULL, "wallet", insert), 0);
        end(NULL, true);
    }
}

static void start__refuses_what_contradicts_itself(void **state)
{
    (void)state;
    static const char *const bad_parameters[] = {"x", NULL};
    const tf_sandbox_options bad[] = {
        {.nodes = 2},     {.nodes = 4},     {.nodes = 3, .standalone = true}, {.cache_mb = 100},
        {.name = "../x"}, {.database = ""}, {.parameters = bad_parameters},   {.mongod = "/nowhere/mongod"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        tf_error err = {0};
        tf_sandbox sandbox = {.nodes = 77};
        assert_false(tf_sandbox_start(&bad[i], &sandbox, &err));
        assert_int_equal(err.code, TF_ERR_USAGE);
        assert_int_equal(sandbox.nodes, 77);
    }
    tf_sandbox sandbox;
    start((tf_sandbox_options){.standalone = true}, &sandbox);
    static const char *const parameters[] = {"ttlMonitorEnabled=false", NULL};
    const tf_sandbox_options running[] = {{.parameters = parameters}, {.cache_mb = 300}};
    for (size_t i = 0; i < sizeof running / sizeof running[0]; i++) {
        tf_error err = {0};
        tf_sandbox ignored;
        assert_false(tf_sandbox_start(&running[i], &ignored, &err));
        assert_string_equal(err.message, "sandbox 'default' runs with other parameters or another cache");
    }
    end(NULL, false);
    start((tf_sandbox_options){.parameters = parameters}, &sandbox); /* stopped: new ones are taken */
    start((tf_sandbox_options){.parameters = parameters}, &sandbox);
    assert_string_equal(sandbox.parameter[0], parameters[0]);
    const tf_sandbox_options other[] = {{.nodes = 3}, {.auth = true}, {.database = "other"}};
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        tf_error err = {0};
        tf_sandbox ignored;
        assert_false(tf_sandbox_start(&other[i], &ignored, &err));
        assert_string_equal(err.message, "sandbox 'default' exists and is of another form");
    }
}

static void start__that_mongod_refuses_shows_its_reason(void **state)
{
    (void)state;
    static const char *const parameters[] = {"noSuchParameter=1", NULL};
    const tf_sandbox_options options = {.parameters = parameters};
    tf_error err = {0};
    tf_sandbox sandbox;
    assert_false(tf_sandbox_start(&options, &sandbox, &err));
    assert_string_equal(err.message, "mongod ended while it was starting");
    assert_non_null(strstr(err.detail, "Unknown --setParameter 'noSuchParameter'"));
    assert_non_null(strstr(err.hint, "node0.log"));
    start((tf_sandbox_options){0}, &sandbox); /* the failure leaves nothing in the way */
}

static void starters__at_once_share_one_sandbox(void **state)
{
    (void)state;
    pid_t starters[3];
    for (int i = 0; i < 3; i++) {
        starters[i] = fork();
        assert_true(starters[i] >= 0);
        if (starters[i] == 0) {
            const char *argv[] = {tf_program_path(false), "sandbox", "start", "--quiet", "--json", NULL};
            if (!freopen("/dev/null", "w", stdout))
                _exit(126);
            execv(argv[0], (char *const *)(uintptr_t)argv);
            _exit(127);
        }
    }
    for (int i = 0; i < 3; i++) {
        int status = -1;
        assert_int_equal(waitpid(starters[i], &status, 0), starters[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(end(NULL, true).ended, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(sandbox__starts_stops_and_keeps_its_data),
        TEST(sandbox__of_three_nodes_replicates),
        TEST(sandbox__gets_back_the_node_it_lost),
        TEST(sandbox__standalone_has_no_replica_set),
        TEST(sandbox__with_auth_admits_its_users_only),
        TEST(sandbox__with_auth_works_on_three_nodes),
        TEST(sandbox__with_tls_takes_nothing_else),
        TEST(sandbox__with_tls_and_auth_admits_a_certificate_on_three_nodes),
        TEST(reset__drops_every_database_of_the_user),
        TEST(sandboxes__run_side_by_side),
        TEST(stop__after_a_crash_says_that_the_state_was_stale),
        TEST(stop__spares_a_process_that_got_the_pid_later),
        TEST(start__after_a_killed_starter_begins_anew),
        TEST(start__refuses_what_contradicts_itself),
        TEST(start__that_mongod_refuses_shows_its_reason),
        TEST(starters__at_once_share_one_sandbox),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mongoc_cleanup();
    return failed;
}
