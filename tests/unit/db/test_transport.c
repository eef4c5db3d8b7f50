#include "support/fixture.h"

#include "db/transport.h"

static bool check(const char *text, unsigned allowed, tf_error *err)
{
    bson_error_t error;
    _cleanup_(mongoc_uri_destroyp) mongoc_uri_t *uri = mongoc_uri_new_with_error(text, &error);
    if (!uri)
        fail_msg("%s: %s", text, error.message);
    tf_error_clear(err);
    return tf_transport_check(uri, allowed, err);
}

static const struct row {
    const char *uri;
    const char *refused; /* part of the message; NULL: not refused */
    unsigned allow;      /* what makes it pass */
} rows[] = {
    {"mongodb://localhost/", NULL, 0},
    {"mongodb://LocalHost:27018/", NULL, 0},
    {"mongodb://127.0.0.1/", NULL, 0},
    {"mongodb://127.255.255.254:1/", NULL, 0},
    {"mongodb://[::1]/", NULL, 0},
    {"mongodb://%2Ftmp%2Fmongodb-27017.sock/", NULL, 0},
    {"mongodb://127.0.0.1:1,localhost:2,[::1]:3/", NULL, 0},
    {"mongodb://db.example/", "'db.example:27017'", TF_TRANSPORT_PLAINTEXT},
    {"mongodb://127.0.0.1,db.example/", "'db.example:27017'", TF_TRANSPORT_PLAINTEXT},
    {"mongodb://localhost.example/", "'localhost.example:27017'", TF_TRANSPORT_PLAINTEXT},
    {"mongodb://127.0.0.1.example/", "'127.0.0.1.example:27017'", TF_TRANSPORT_PLAINTEXT},
    {"mongodb://128.0.0.1/", "'128.0.0.1:27017'", TF_TRANSPORT_PLAINTEXT},
    {"mongodb://126.255.255.255/", "'126.255.255.255:27017'", TF_TRANSPORT_PLAINTEXT},
    {"mongodb://0.0.0.0/", "'0.0.0.0:27017'", TF_TRANSPORT_PLAINTEXT},
    {"mongodb://[::2]/", "[::2]", TF_TRANSPORT_PLAINTEXT},
    {"mongodb://[::]/", "[::]", TF_TRANSPORT_PLAINTEXT},
    {"mongodb://10.0.0.1/?tls=false", "'10.0.0.1:27017'", TF_TRANSPORT_PLAINTEXT},
    {"mongodb+srv://c.example.com/?tls=false", "mongodb+srv", TF_TRANSPORT_PLAINTEXT},
    {"mongodb+srv://c.example.com/", NULL, 0},
    {"mongodb://db.example/?tls=true", NULL, 0},
    {"mongodb://db.example/?ssl=true", NULL, 0},
    {"mongodb://db.example/?tlsCAFile=/etc/ca.pem", NULL, 0},
    {"mongodb://127.0.0.1/?tlsInsecure=true", "'tlsinsecure'", TF_TRANSPORT_INSECURE_TLS},
    {"mongodb://db.example/?tls=true&tlsInsecure=true", "'tlsinsecure'", TF_TRANSPORT_INSECURE_TLS},
    {"mongodb://db.example/?tlsAllowInvalidCertificates=true", "'tlsallowinvalidcertificates'",
     TF_TRANSPORT_INSECURE_TLS},
    {"mongodb://db.example/?sslAllowInvalidCertificates=true", "'tlsallowinvalidcertificates'",
     TF_TRANSPORT_INSECURE_TLS},
    {"mongodb://db.example/?tlsAllowInvalidHostnames=true", "'tlsallowinvalidhostnames'", TF_TRANSPORT_INSECURE_TLS},
    {"mongodb+srv://c.example.com/?tlsAllowInvalidHostnames=true", "'tlsallowinvalidhostnames'",
     TF_TRANSPORT_INSECURE_TLS},
    {"mongodb://db.example/?tls=true&tlsInsecure=false", NULL, 0},
};

static void transport__is_protected_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tf_error err = {0};
        bool good = check(rows[i].uri, 0, &err);
        if (good != !rows[i].refused)
            fail_msg("%s: %s", rows[i].uri, good ? "not refused" : err.message);
        if (good)
            continue;
        if (!strstr(err.message, rows[i].refused))
            fail_msg("%s: %s", rows[i].uri, err.message);
        assert_int_equal(err.code, TF_ERR_USAGE);
        assert_non_null(
            strstr(err.hint, rows[i].allow == TF_TRANSPORT_PLAINTEXT ? "--allow-plaintext" : "--allow-insecure-tls"));
    }
}

/* One permission is not the other. */
static void transport__passes_with_the_right_permission_only(void **state)
{
    (void)state;
    const unsigned both = TF_TRANSPORT_PLAINTEXT | TF_TRANSPORT_INSECURE_TLS;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tf_error err = {0};
        if (!rows[i].refused)
            continue;
        if (!check(rows[i].uri, rows[i].allow, &err))
            fail_msg("%s: %s", rows[i].uri, err.message);
        if (check(rows[i].uri, both & ~rows[i].allow, &err))
            fail_msg("%s passes with the other permission", rows[i].uri);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transport__is_protected_or_refused),
        cmocka_unit_test(transport__passes_with_the_right_permission_only),
    };
    mongoc_init();
    mongoc_log_set_handler(NULL, NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mongoc_cleanup();
    return failed;
}
