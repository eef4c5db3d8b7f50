#include "support/fixture.h"

#include "db/operation.h"
#include "db/role.h"
#include "sandbox/place.h"
#include "sandbox/sandbox.h"

#include <sys/random.h>
#include <unistd.h>

static tf_sandbox server;
static bool server_known, server_ours;

static void end_server(void)
{
    tf_sandbox_stopped stopped;
    if (server_ours)
        tf_sandbox_stop(server.name, true, &stopped, NULL);
    mongoc_cleanup();
}

static void find_server(void)
{
    if (server_known)
        return;
    mongoc_init();
    mongoc_log_set_handler(NULL, NULL);
    atexit(end_server);
    server_known = true;
    if (getenv("TOKENFIX_TEST_URI"))
        return;
    if (!getenv("TF_TEST_SANDBOX"))
        setenv("XDG_STATE_HOME", TF_TEST_STATE_HOME, 1);
    const char *name = getenv("TF_TEST_SANDBOX") ? getenv("TF_TEST_SANDBOX") : "test";
    tf_error err = {0};
    if (tf_sandbox_status(name, &server, NULL) && tf_sandbox_running(&server) && server.ready)
        return;
    server_ours = true;
    if (!tf_sandbox_start(&(tf_sandbox_options){.name = name, .auth = true}, &server, &err))
        fail_msg("no server: %s (%s)", err.message, err.detail);
}

/* The URI of TOKENFIX_TEST_URI with another database, or the sandbox's. */
static void server_uri(const char *login, const char *password, const char *db, char *out, size_t size)
{
    const char *given = getenv("TOKENFIX_TEST_URI");
    if (!given) {
        char whole[512];
        assert_true(tf_sandbox_uri(&server, NULL, db, whole, sizeof whole));
        const char *hosts = strchr(whole, '@');
        if (login)
            snprintf(out, size, "mongodb://%s:%s%s", login, password, hosts);
        else
            snprintf(out, size, "%s", whole);
        return;
    }
    /* scheme://[user:password@]hosts[/database][?options], taken apart: the driver's setters do not change the string */
    const char *hosts = strstr(given, "://"), *at = strrchr(given, '@');
    assert_non_null(hosts);
    hosts = at ? at + 1 : hosts + 3;
    const char *options = strchr(hosts, '?');
    int length = (int)strcspn(hosts, "/?"), scheme = (int)(strstr(given, "://") + 3 - given);
    int user = at ? (int)(at - given) - scheme : 0;
    snprintf(out, size, "%.*s%s%s%.*s%s%.*s/%s%s%s", scheme, given, login ? login : "", login ? ":" : "",
             login ? (int)strlen(password) : user, login ? password : given + scheme, login || at ? "@" : "", length, hosts, db,
             options ? options : "", login && !options ? "?authSource=admin" : "");
}

int tf_fixture_setup(void **state)
{
    find_server();
    tf_fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    uint64_t random;
    assert_int_equal(getrandom(&random, sizeof random, 0), sizeof random);
    snprintf(fixture->db, sizeof fixture->db, "t%016llx", (unsigned long long)random);
    snprintf(fixture->state_db, sizeof fixture->state_db, "%s_tokenfix", fixture->db);
    server_uri(NULL, NULL, fixture->db, fixture->uri, sizeof fixture->uri);
    fixture->client = mongoc_client_new(fixture->uri);
    assert_non_null(fixture->client);
    mongoc_client_set_error_api(fixture->client, MONGOC_ERROR_API_VERSION_2);
    *state = fixture;
    return 0;
}

static bool admin_run(tf_fixture *fixture, const char *db, bson_t *command, bson_error_t *error)
{
    _cleanup_(bson_destroyp) bson_t *owned = command;
    return mongoc_client_command_simple(fixture->client, db, owned, NULL, NULL, error);
}

void tf_fixture_forget(tf_fixture *fixture)
{
    while (fixture->programs) {
        tf_program *program = fixture->programs;
        fixture->programs = program->next;
        tf_program_free(program);
    }
}

int tf_fixture_teardown(void **state)
{
    tf_fixture *fixture = *state;
    tf_fixture_forget(fixture);
    for (unsigned i = 0; i < fixture->logins; i++) {
        char name[96];
        snprintf(name, sizeof name, "%s_%u", fixture->db, i);
        admin_run(fixture, "admin", BCON_NEW("dropUser", BCON_UTF8(name)), NULL);
        admin_run(fixture, "admin", BCON_NEW("dropRole", BCON_UTF8(name)), NULL);
    }
    bson_error_t error;
    bool ok = admin_run(fixture, fixture->db, BCON_NEW("dropDatabase", BCON_INT32(1)), &error) &&
              admin_run(fixture, fixture->state_db, BCON_NEW("dropDatabase", BCON_INT32(1)), &error);
    tf_op_release(fixture->client);
    mongoc_client_destroy(fixture->client);
    free(fixture);
    if (!ok)
        print_error("teardown: %s\n", error.message);
    return ok ? 0 : -1;
}

const char *tf_fixture_login(tf_fixture *fixture, const char *kind, const char *collection, const char *const *others)
{
    assert_true(fixture->logins < TF_FIXTURE_LOGINS);
    char name[96];
    snprintf(name, sizeof name, "%s_%u", fixture->db, fixture->logins);
    _cleanup_bson_ bson_t privileges = BSON_INITIALIZER;
    _cleanup_bson_ bson_t roles = BSON_INITIALIZER;
    if (strcmp(kind, "reader") == 0)
        BCON_APPEND(&roles, "0", "{", "role", "read", "db", BCON_UTF8(fixture->db), "}", "1", "{", "role", "read", "db",
                    BCON_UTF8(fixture->state_db), "}");
    else
        tf_role_document(kind, fixture->db, fixture->state_db, collection, others, &privileges);
    bson_error_t error = {0};
    if (!admin_run(
            fixture, "admin",
            BCON_NEW("createRole", BCON_UTF8(name), "privileges", BCON_ARRAY(&privileges), "roles", BCON_ARRAY(&roles)),
            &error) ||
        !admin_run(fixture, "admin",
                   BCON_NEW("createUser", BCON_UTF8(name), "pwd", "fixture", "roles", "[", BCON_UTF8(name), "]"),
                   &error))
        fail_msg("cannot create the user %s: %s", name, error.message);
    char *uri = fixture->login[fixture->logins++];
    server_uri(name, "fixture", fixture->db, uri, sizeof fixture->login[0]);
    return uri;
}

void tf_fixture_least(tf_fixture *fixture, const char *collection, const char *const *others)
{
    if (fixture->state_home || fixture->logins > 0)
        return;
    /* another user at the same address: a proxy may stand there */
    const char *login = tf_fixture_login(fixture, "run", collection, others), *address = strchr(fixture->uri, '@');
    char uri[sizeof fixture->uri];
    assert_non_null(address);
    snprintf(uri, sizeof uri, "%.*s%s", (int)(strchr(login, '@') - login), login, address);
    memcpy(fixture->uri, uri, sizeof uri);
}

static bson_t *parse(const char *json)
{
    bson_error_t error;
    bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, &error);
    if (!doc)
        fail_msg("not JSON: %s: %s", error.message, json);
    return doc;
}

static void insert_one(mongoc_collection_t *collection, const bson_t *doc)
{
    bson_error_t error;
    _cleanup_bson_ bson_t opts = BSON_INITIALIZER;
    BSON_APPEND_BOOL(&opts, "validate", false);
    if (!mongoc_collection_insert_one(collection, doc, &opts, NULL, &error))
        fail_msg("insert: %s", error.message);
}

void tf_fixture_insert(tf_fixture *fixture, const char *collection, const char *json)
{
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *into =
        mongoc_client_get_collection(fixture->client, fixture->db, collection);
    const char *start = json + strspn(json, " \n");
    if (*start != '[') {
        _cleanup_(bson_destroyp) bson_t *doc = parse(json);
        insert_one(into, doc);
        return;
    }
    char *whole = NULL;
    assert_true(asprintf(&whole, "{\"docs\": %s}", json) > 0);
    _cleanup_(bson_destroyp) bson_t *doc = parse(whole);
    free(whole);
    bson_iter_t at, item;
    assert_true(bson_iter_init_find(&at, doc, "docs") && bson_iter_recurse(&at, &item));
    while (bson_iter_next(&item)) {
        const uint8_t *data;
        uint32_t length;
        bson_t one;
        assert_true(BSON_ITER_HOLDS_DOCUMENT(&item));
        bson_iter_document(&item, &length, &data);
        assert_true(bson_init_static(&one, data, length));
        insert_one(into, &one);
    }
}

bson_t *tf_fixture_command(tf_fixture *fixture, const char *json)
{
    _cleanup_(bson_destroyp) bson_t *command = parse(json);
    bson_error_t error;
    bson_t got;
    bool ok = mongoc_client_command_simple(fixture->client, fixture->db, command, NULL, &got, &error);
    bson_t *reply = bson_copy(&got);
    bson_destroy(&got);
    if (!ok) {
        bson_destroy(reply);
        fail_msg("%s: %s", json, error.message);
    }
    return reply;
}

int64_t tf_fixture_count(tf_fixture *fixture, const char *db, const char *collection, const char *filter)
{
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *in =
        mongoc_client_get_collection(fixture->client, db ? db : fixture->db, collection);
    _cleanup_(bson_destroyp) bson_t *match = parse(filter);
    bson_error_t error;
    int64_t count = mongoc_collection_count_documents(in, match, NULL, NULL, NULL, &error);
    if (count < 0)
        fail_msg("count: %s", error.message);
    return count;
}

char *tf_folder_make(void)
{
    const char *base = getenv("TMPDIR");
    char *path = NULL;
    assert_true(asprintf(&path, "%s/tokenfix-XXXXXX", base && *base ? base : "/tmp") > 0);
    assert_non_null(mkdtemp(path));
    return path;
}

void tf_folder_remove(char *path)
{
    tf_error err = {0};
    if (!tf_place_remove(path, &err))
        fail_msg("%s: %s", err.message, err.detail);
    free(path);
}

/* ---- a server of one's own ---- */

int tf_fixture_own_setup(void **state)
{
    mongoc_init();
    mongoc_log_set_handler(NULL, NULL);
    tf_fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    const char *home = getenv("XDG_STATE_HOME");
    fixture->state_home = home ? strdup(home) : NULL;
    char *folder = tf_folder_make();
    setenv("XDG_STATE_HOME", folder, 1);
    free(folder);
    *state = fixture;
    return 0;
}

void tf_fixture_own_server(tf_fixture *fixture, tf_sandbox_options options, tf_sandbox *sandbox)
{
    tf_error err = {0};
    options.name = "own";
    options.cache_mb = 256;
    if (!tf_sandbox_start(&options, sandbox, &err))
        fail_msg("%s: %s", err.message, err.detail);
    snprintf(fixture->db, sizeof fixture->db, "wallet");
    snprintf(fixture->state_db, sizeof fixture->state_db, "wallet_tokenfix");
    assert_true(tf_sandbox_uri(sandbox, NULL, fixture->db, fixture->uri, sizeof fixture->uri));
    fixture->client = mongoc_client_new(fixture->uri);
    assert_non_null(fixture->client);
    mongoc_client_set_error_api(fixture->client, MONGOC_ERROR_API_VERSION_2);
}

int tf_fixture_own_teardown(void **state)
{
    tf_fixture *fixture = *state;
    tf_sandbox_stopped stopped;
    tf_sandbox_stop("own", true, &stopped, NULL);
    tf_folder_remove(strdup(getenv("XDG_STATE_HOME")));
    if (fixture->state_home)
        setenv("XDG_STATE_HOME", fixture->state_home, 1);
    else
        unsetenv("XDG_STATE_HOME");
    tf_fixture_forget(fixture);
    tf_op_release(fixture->client);
    mongoc_client_destroy(fixture->client);
    free(fixture->state_home);
    free(fixture);
    return 0;
}
