/* Every command under the least role over TLS: logged in with SCRAM-SHA-256, and with a certificate. */
#include "support/role.h"

#include "sandbox/place.h"
#include "sandbox/tls.h"

static tf_sandbox sandbox;

/* A server of its own with TLS and access control, the data of support/role.h, and users "run", "audit" and "x509". */
static void prepare(tf_fixture *f)
{
    static const char *const read[] = {"cashu_wallets", NULL};
    _cleanup_bson_ bson_t run = BSON_INITIALIZER, audit = BSON_INITIALIZER;
    tf_role_document("run", "wallet", "wallet_tokenfix", "cashu_tokens", read, &run);
    tf_role_document("audit", "wallet", "wallet_tokenfix", "cashu_tokens", read, &audit);
    const tf_sandbox_user users[] = {{.name = "run", .privileges = &run},
                                     {.name = "audit", .privileges = &audit},
                                     {.name = "x509", .privileges = &run, .certificate = true}};
    tf_fixture_own_server(
        f, (tf_sandbox_options){.auth = true, .tls = true, .users = users, .users_count = sizeof users / sizeof *users},
        &sandbox);
    fill(f);
}

static void uri_of(const char *login, const char *more, char *out, size_t size)
{
    char uri[TF_SANDBOX_URI];
    assert_true(tf_sandbox_uri(&sandbox, login, NULL, uri, sizeof uri));
    snprintf(out, size, "%s%s", uri, more);
}

/* A killed run leaves a transaction open in a session of this user: who resumes has to know how the server calls him to end
 * it, or would wait a minute for it, as long as a test waits for the program. */
static void kill_and_resume(tf_fixture *f, const char *uri)
{
#ifdef TF_FAILPOINTS
    const char *const argv[] = {"up", "--confirm", "--yes", "--batch-size", "7", NULL};
    const char *const env[] = {"TOKENFIX_FAILPOINT=up.after_write=kill@2", NULL};
    tf_program *p = tf_program_exec(f, &(tf_program_options){.argv = argv, .env = env, .uri = uri});
    assert_int_equal(p->status, 128 + SIGKILL);
    SUCCEEDS(f, uri, "up", "--resume", "--confirm", "--yes");
#else
    SUCCEEDS(f, uri, "up", "--confirm", "--yes");
#endif
    SUCCEEDS(f, uri, "down", "--confirm", "--yes");
}

/* A run that a pause file keeps at rest is asked to pause, to go on, and to end, by another process of the same user. */
static void control(tf_fixture *f, const char *uri)
{
    char file[512];
    char *folder = tf_folder_make();
    tf_error err = {0};
    snprintf(file, sizeof file, "%s/pause", folder);
    assert_true(tf_place_write(file, "", 0, &err));
    const char *const argv[] = {"up", "--confirm", "--yes", "--pause-file", file, NULL};
    tf_program *up = tf_program_start(f, &(tf_program_options){.argv = argv, .uri = uri});
    assert_true(tf_program_saw(up, "paused: "));
    SUCCEEDS(f, uri, "pause");
    SUCCEEDS(f, uri, "continue");
    SUCCEEDS(f, uri, "cancel");
    tf_program_wait(up, 0);
    assert_int_equal(up->status, 1);
    assert_int_equal(tf_fixture_count(f, "wallet_tokenfix", "runs", "{\"state\": \"cancelled\"}"), 1);
    SUCCEEDS(f, uri, "down", "--confirm", "--yes");
    tf_folder_remove(folder);
}

/* status, preview, validate, up, verify, down, history, plan, and interrupted runs gone on with. */
static void walk(tf_fixture *f, const char *uri)
{
    static const char spent[] = "{\"transaction_type\": \"melted\", \"status\": \"spent\"}";
    _cleanup_free_ char *before = hash_of(f->client, f->db);
    SUCCEEDS(f, uri, "plan");
    SUCCEEDS(f, uri, "status");
    SUCCEEDS(f, uri, "preview", "--sample", "2");
    SUCCEEDS(f, uri, "validate");
    assert_int_equal(AS(f, uri, "up", "--confirm", "--yes", "--canary", "10")->status, 7);
    SUCCEEDS(f, uri, "up", "--resume", "--confirm", "--yes", "--batch-size", "7");
    assert_int_equal(tf_fixture_count(f, NULL, "cashu_tokens", spent), DEFECTS);
    SUCCEEDS(f, uri, "verify");
    SUCCEEDS(f, uri, "history");
    SUCCEEDS(f, uri, "history", "004");
    SUCCEEDS(f, uri, "down", "--confirm", "--yes");
    SUCCEEDS(f, uri, "up", "--strategy", "journal", "--confirm", "--yes");
    SUCCEEDS(f, uri, "down", "--confirm", "--yes");
    SUCCEEDS(f, uri, "verify");
    SUCCEEDS(f, uri, "status", "--json");
    kill_and_resume(f, uri);
    control(f, uri);
    _cleanup_free_ char *after = hash_of(f->client, f->db);
    assert_string_equal(before, after);
}

/* Who the server took us for, as the runs have it. */
static void expect_user(tf_fixture *f, const char *user, int64_t runs)
{
    char filter[256];
    snprintf(filter, sizeof filter, "{\"who.database_user\": \"%s\"}", user);
    assert_int_equal(tf_fixture_count(f, "wallet_tokenfix", "runs", filter), runs);
    assert_int_equal(tf_fixture_count(f, "wallet_tokenfix", "runs", "{}"), runs);
}

static void every_command__works_with_scram_sha_256_over_tls(void **state)
{
    tf_fixture *f = *state;
    char uri[2048];
    prepare(f);
    uri_of("run", "&authMechanism=SCRAM-SHA-256", uri, sizeof uri);
    walk(f, uri);
    expect_user(f, "run@admin", 8);
    uri_of("run", "&authMechanism=SCRAM-SHA-1", uri, sizeof uri);
    tf_program *p = AS(f, uri, "status", "--json");
    assert_int_equal(p->status, 8);
    assert_string_equal(tf_program_text(p, "error.code"), "AUTH");
    uri_of("audit", "", uri, sizeof uri);
    SUCCEEDS(f, uri, "status");
    SUCCEEDS(f, uri, "verify");
    assert_int_equal(AS(f, uri, "up", "--again", "--confirm", "--yes")->status, 8);
}

static void every_command__works_with_a_certificate_over_tls(void **state)
{
    tf_fixture *f = *state;
    char uri[2048], subject[128], who[160];
    prepare(f);
    uri_of("x509", "", uri, sizeof uri);
    assert_null(strchr(uri, '@'));
    walk(f, uri);
    tf_tls_subject(subject, sizeof subject);
    snprintf(who, sizeof who, "%s@$external", subject);
    expect_user(f, who, 8);
}

/* The same by options instead of a connection string. */
static void options__do_what_the_connection_string_does(void **state)
{
    tf_fixture *f = *state;
    char ca[PATH_MAX + 64], client[PATH_MAX + 64], port[16];
    prepare(f);
    snprintf(ca, sizeof ca, "%s/" TF_TLS_CA, sandbox.folder);
    snprintf(client, sizeof client, "%s/" TF_TLS_CLIENT, sandbox.folder);
    snprintf(port, sizeof port, "%d", sandbox.node[0].port);
#define BY_OPTIONS(...)                                                                                                \
    AS(f, "", "status", "--json", "--db", "wallet", "--host", "127.0.0.1", "--port", port, "--tlsCAFile", ca,          \
       "--tlsCertificateKeyFile", client, __VA_ARGS__)
    tf_program *p = BY_OPTIONS("--authenticationMechanism", "MONGODB-X509");
    assert_int_equal(p->status, 0);
    const char *password = NULL;
    for (unsigned i = 0; i < sandbox.logins; i++)
        if (strcmp(sandbox.login[i].name, "run") == 0)
            password = sandbox.login[i].password;
    p = BY_OPTIONS("-u", "run", "--password", password, "--authenticationDatabase", "admin",
                   "--authenticationMechanism", "SCRAM-SHA-256");
    assert_int_equal(p->status, 0);
    p = BY_OPTIONS("--quiet");
    assert_int_equal(p->status, 8); /* TLS alone is no login */
    assert_string_equal(tf_program_text(p, "error.code"), "PERMISSION");
}

/* A certificate that is good, of somebody the database does not know. */
static void login__of_an_unknown_certificate_says_what_to_look_at(void **state)
{
    tf_fixture *f = *state;
    char uri[2048], subject[128];
    prepare(f);
    tf_tls_subject(subject, sizeof subject);
    uri_of("x509", "", uri, sizeof uri);
    _cleanup_(bson_destroyp) bson_t *drop = BCON_NEW("dropUser", BCON_UTF8(subject));
    assert_true(mongoc_client_command_simple(f->client, "$external", drop, NULL, NULL, NULL));
    tf_program *p = AS(f, uri, "status", "--json");
    assert_int_equal(p->status, 8);
    assert_string_equal(tf_program_text(p, "error.code"), "AUTH");
    assert_non_null(strstr(tf_program_text(p, "error.message"), "no user by this certificate"));
    assert_non_null(strstr(tf_program_text(p, "error.hint"), "RFC2253"));
}

/* ---- plaintext that would leave this machine ---- */

static void plaintext__to_another_machine_is_refused_before_anything_is_sent(void **state)
{
    (void)state;
    static const char *const commands[] = {"status", "preview", "validate", "verify", "history"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        const char *const argv[] = {commands[i], "--json", "--timeout", "0.2", NULL};
        tf_program *p = tf_program_exec(
            NULL, &(tf_program_options){.argv = argv, .uri = "mongodb://me:secret@127.0.0.1:9,192.0.2.1/shop"});
        assert_int_equal(p->status, 2);
        assert_string_equal(tf_program_text(p, "error.code"), "USAGE");
        assert_string_equal(tf_program_text(p, "error.message"),
                            "the connection to '192.0.2.1:27017' would not be encrypted");
        assert_non_null(strstr(tf_program_text(p, "error.hint"), "--allow-plaintext"));
        tf_program_free(p);
    }
    const char *const argv[] = {"status", "--json", "--timeout", "0.2", "--allow-plaintext", NULL};
    tf_program *p = tf_program_exec(NULL, &(tf_program_options){.argv = argv, .uri = "mongodb://192.0.2.1/shop"});
    assert_int_equal(p->status, 8); /* allowed; there is nobody at that address (RFC 5737) */
    tf_program_free(p);
}

/* The seed is this machine; the set's configuration names another one. (mongod takes what begins with 127. for itself, and
 * would not have it beside another machine.) */
static void plaintext__to_a_member_elsewhere_is_refused(void **state)
{
    tf_fixture *f = *state;
    char uri[512];
    tf_fixture_own_server(f, (tf_sandbox_options){.nodes = 1}, &sandbox);
    snprintf(uri, sizeof uri, "mongodb://127.0.0.1:%d/wallet?replicaSet=tokenfix", sandbox.node[0].port);
    SUCCEEDS(f, uri, "history");
    char json[512];
    snprintf(json, sizeof json,
             "{\"replSetReconfig\": {\"_id\": \"tokenfix\", \"version\": 1000, \"members\": [{\"_id\": 0, \"host\": "
             "\"127.0.0.1:%d\"}, {\"_id\": 1, \"host\": \"127.0.0.1.example:27017\", \"priority\": 0, \"votes\": 0}]}, "
             "\"force\": true}",
             sandbox.node[0].port);
    _cleanup_(bson_destroyp) bson_t *reconfigure = bson_new_from_json((const uint8_t *)json, -1, NULL);
    bson_error_t error;
    if (!mongoc_client_command_simple(f->client, "admin", reconfigure, NULL, NULL, &error))
        fail_msg("%s", error.message);
    tf_program *p = AS(f, uri, "history", "--json");
    assert_int_equal(p->status, 2);
    assert_string_equal(tf_program_text(p, "error.message"),
                        "the connection to the member '127.0.0.1.example:27017' would not be encrypted");
    SUCCEEDS(f, uri, "history", "--allow-plaintext");
    snprintf(uri, sizeof uri, "mongodb://127.0.0.1:%d/wallet?directConnection=true", sandbox.node[0].port);
    SUCCEEDS(f, uri, "history"); /* talks to this one only */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_OWN_TEST(every_command__works_with_scram_sha_256_over_tls),
        TF_FIXTURE_OWN_TEST(every_command__works_with_a_certificate_over_tls),
        TF_FIXTURE_OWN_TEST(options__do_what_the_connection_string_does),
        TF_FIXTURE_OWN_TEST(login__of_an_unknown_certificate_says_what_to_look_at),
        cmocka_unit_test(plaintext__to_another_machine_is_refused_before_anything_is_sent),
        TF_FIXTURE_OWN_TEST(plaintext__to_a_member_elsewhere_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
