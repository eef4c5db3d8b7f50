/*
 * Three nodes that lose their primary while the tool works: it steps down, is killed, stops for 30 s, or is cut off from
 * everybody. The members know one another by the addresses of a proxy, so that the network between them can be broken, too.
 */
#include "fault/fault.h"
#include "support/proxy.h"

enum { NODES = 3, STOPPED_MS = 30000, BATCHES = 20, PATIENCE_MS = 400000 };

typedef struct fixture {
    tf_fixture *f;
    tf_sandbox sandbox;
    tf_proxy proxy;
    mongoc_client_t *node[NODES]; /* past the proxy */
} fixture;

/* ---- the replica set ---- */

static bool node_command(fixture *x, int i, const char *json, bson_t *reply)
{
    bson_error_t error;
    _cleanup_(bson_destroyp) bson_t *command = bson_new_from_json((const uint8_t *)json, -1, &error);
    assert_non_null(command);
    return mongoc_client_command_simple(x->node[i], "admin", command, NULL, reply, &error);
}

/* Waits until there is one primary, and the others follow it. */
static int primary(fixture *x)
{
    char states[NODES + 1] = "???"; /* of the last look: primary, secondary, other, silent */
    for (int n = 0; n < 2400; n++) {
        int found = -1, secondaries = 0;
        for (int i = 0; i < NODES; i++) {
            bson_t reply;
            states[i] = '-';
            if (node_command(x, i, "{\"hello\": 1}", &reply)) {
                bool first = fault_number(&reply, "isWritablePrimary") == 1, second = fault_number(&reply, "secondary") == 1;
                found = first ? i : found;
                secondaries += second;
                states[i] = first ? 'P' : second ? 'S' : 'o';
            }
            bson_destroy(&reply);
        }
        if (found >= 0 && secondaries == NODES - 1)
            return found;
        usleep(50000);
    }
    fail_msg("the replica set has no primary with two secondaries: %s", states);
    return -1;
}

/* The members take the proxy's addresses. */
static void move_behind_proxy(fixture *x)
{
    char json[512];
    bson_t reply;
    int first = primary(x);
    snprintf(json, sizeof json,
             "{\"replSetReconfig\": {\"_id\": \"tokenfix\", \"version\": 100000, \"members\": ["
             "{\"_id\": 0, \"host\": \"127.0.0.1:%d\"}, {\"_id\": 1, \"host\": \"127.0.0.1:%d\"}, {\"_id\": 2, \"host\": \"127.0.0.1:%d\"}],"
             " \"settings\": {\"electionTimeoutMillis\": 2000, \"heartbeatIntervalMillis\": 500, \"heartbeatTimeoutSecs\": 2}}, \"force\": true}",
             x->proxy.port[0], x->proxy.port[1], x->proxy.port[2]);
    if (!node_command(x, first, json, &reply))
        fail_msg("replSetReconfig: %s", bson_as_canonical_extended_json(&reply, NULL));
    bson_destroy(&reply);
    primary(x);
}

static mongoc_client_t *client_of(const char *uri)
{
    mongoc_client_t *client = mongoc_client_new(uri);
    assert_non_null(client);
    mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2);
    return client;
}

static void connect_nodes(fixture *x)
{
    for (int i = 0; i < NODES; i++) {
        char uri[160];
        snprintf(uri, sizeof uri, "mongodb://127.0.0.1:%d/?directConnection=true&serverSelectionTimeoutMS=1000&connectTimeoutMS=1000&socketTimeoutMS=3000",
                 x->sandbox.node[i].port);
        mongoc_client_destroy(x->node[i]);
        x->node[i] = client_of(uri);
    }
}

static int setup(void **state)
{
    static fixture x;
    void *made = NULL;
    int ports[NODES];
    tf_fixture_own_setup(&made);
    x.f = made;
    tf_fixture_own_server(x.f, (tf_sandbox_options){.nodes = NODES}, &x.sandbox);
    for (int i = 0; i < NODES; i++)
        ports[i] = x.sandbox.node[i].port;
    tf_proxy_start(&x.proxy, ports, NODES);
    connect_nodes(&x);
    move_behind_proxy(&x);
    char uri[sizeof x.f->uri + 64];
    snprintf(x.f->uri, sizeof x.f->uri, "mongodb://127.0.0.1:%d,127.0.0.1:%d,127.0.0.1:%d/wallet?replicaSet=tokenfix", x.proxy.port[0],
             x.proxy.port[1], x.proxy.port[2]);
    snprintf(uri, sizeof uri, "%s&serverSelectionTryOnce=false", x.f->uri);
    mongoc_client_destroy(x.f->client);
    x.f->client = client_of(uri);
    *state = &x;
    return 0;
}

static int teardown(void **state)
{
    fixture *x = *state;
    void *made = x->f;
    for (int i = 0; i < NODES; i++)
        mongoc_client_destroy(x->node[i]);
    int failed = tf_fixture_own_teardown(&made);
    tf_proxy_stop(&x->proxy);
    return failed;
}

/* ---- faults ---- */

static void step_down(fixture *x, tf_series *s, int victim)
{
    bson_t reply;
    (void)s;
    node_command(x, victim, "{\"replSetStepDown\": 5, \"secondaryCatchUpPeriodSecs\": 2, \"force\": true}", &reply);
    bson_destroy(&reply);
}

static void kill_node(fixture *x, tf_series *s, int victim)
{
    (void)s;
    assert_int_equal(kill(x->sandbox.node[victim].process.pid, SIGKILL), 0);
}

static void revive_node(fixture *x, int victim)
{
    tf_error err = {0};
    (void)victim;
    if (!tf_sandbox_start(&(tf_sandbox_options){.name = "own"}, &x->sandbox, &err))
        fail_msg("%s: %s", err.message, err.detail);
}

static void stop_node(fixture *x, tf_series *s, int victim)
{
    (void)s;
    assert_int_equal(kill(x->sandbox.node[victim].process.pid, SIGSTOP), 0);
}

static void continue_node(fixture *x, int victim)
{
    assert_int_equal(kill(x->sandbox.node[victim].process.pid, SIGCONT), 0);
}

/* From everybody, or only so that nobody reaches it. */
static void partition(fixture *x, tf_series *s, int victim)
{
    tf_proxy_say(&x->proxy, "%s %d", tf_random_below(&s->random, 3) ? "isolate" : "deafen", victim);
}

static void heal(fixture *x, int victim)
{
    (void)victim;
    tf_proxy_say(&x->proxy, "heal");
}

typedef struct breakage {
    const char *name, *what;
    int quick, full;
    void (*break_it)(fixture *x, tf_series *s, int victim);
    void (*mend)(fixture *x, int victim); /* NULL: it mends itself */
    int after_ms;                         /* mended so much later; 0: when the tool has ended */
} breakage;

static const breakage breakages[] = {
    {"step_down", "three nodes: the primary steps down; up and down, both strategies", 5, 200, step_down, NULL, 0},
    {"kill_primary", "three nodes: kill -9 of the primary; up and down, both strategies", 2, 50, kill_node, revive_node, 0},
    {"stop_primary", "three nodes: the primary stopped (SIGSTOP) for 30 s; up and down, both strategies", 1, 20, stop_node, continue_node,
     STOPPED_MS},
    {"partition", "three nodes: the primary cut off for 30 s, both ways or one way; up and down, both strategies", 1, 20, partition, heal,
     STOPPED_MS},
};

/* ---- a repetition ---- */

static const char *const *words_of(bool journal)
{
    static const char *const words[2][5] = {{"--batch-size", "2", "--strategy", "transaction"}, {"--batch-size", "2", "--strategy", "journal"}};
    return words[journal];
}

/* Batches that a majority has, as one node sees it; -1 when it does not answer. */
static int64_t batches_at(fixture *x, int node)
{
    bson_error_t error;
    _cleanup_(bson_destroyp) bson_t *all = bson_new(), *majority = BCON_NEW("readConcern", "{", "level", "majority", "}");
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *in = mongoc_client_get_collection(x->node[node], x->f->state_db, "batches");
    return mongoc_collection_count_documents(in, all, majority, NULL, NULL, &error);
}

static bool has_ended(const tf_program *p)
{
    siginfo_t info = {0};
    assert_int_equal(waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
    return info.si_pid != 0;
}

/* Breaks the primary when `batches` more are done, mends it, and returns the longest time without progress. */
static int64_t break_while_it_works(fixture *x, tf_series *s, const breakage *how, tf_program *p, int64_t batches)
{
    int victim = primary(x), witness = (victim + 1) % NODES;
    int64_t goal = batches + (int64_t)tf_random_below(&s->random, BATCHES), longest = 0;
    while (!has_ended(p) && batches_at(x, witness) < goal)
        usleep(2000);
    usleep((useconds_t)tf_random_below(&s->random, 20000));
    int64_t broken = tf_clock_ms(), moved = broken, seen = batches_at(x, witness);
    how->break_it(x, s, victim);
    bool mended = !how->mend;
    while (!has_ended(p) && tf_clock_ms() - broken < PATIENCE_MS) {
        int64_t now = batches_at(x, witness), at = tf_clock_ms();
        longest = at - moved > longest ? at - moved : longest;
        moved = now > seen ? at : moved;
        seen = now > seen ? now : seen;
        if (!mended && how->after_ms && at - broken >= how->after_ms) {
            how->mend(x, victim);
            mended = true;
        }
        usleep(5000);
    }
    while (!mended && how->after_ms && tf_clock_ms() - broken < how->after_ms)
        usleep(10000);
    if (!mended)
        how->mend(x, victim);
    return longest;
}

static void fail_over(fixture *x, tf_series *s, const breakage *how)
{
    FAULT_DATA_CLEANUP fault_data data;
    bool down = s->at % 2, journal = s->at % 4 >= 2;
    const char *direction = down ? "down" : "up";
    primary(x);
    fault_clear(x->f);
    fault_workers = s->workers;
    fault_seed(x->f, &data);
    if (down)
        assert_exit(fault_exec(x->f, "up", NULL, words_of(journal)), 0);
    int64_t before = tf_batches(x->f);
    tf_program *p = fault_start(x->f, direction, NULL, words_of(journal));
    int64_t took = break_while_it_works(x, s, how, p, before);
    tf_program_wait(p, 120);
    tf_series_recovered(s, took);
    if (p->status && !tf_program_has(p, "error.detail"))
        fail_msg("exit %d: %s", p->status, p->err);
    print_message("%s %s %s: exit %d, longest pause %d ms%s%s\n", how->name, direction, journal ? "journal" : "transaction", p->status,
                  (int)took, p->status ? ": " : "", tf_program_has(p, "error.detail") ? tf_program_text(p, "error.detail") : "");
    if (p->status != 0 && p->status != 8)
        assert_exit(p, 7);
    primary(x);
    if (p->status != 0)
        fault_go_on(x->f, direction, words_of(journal));
    if (down)
        fault_assert_untouched(x->f, &data);
    else
        fault_assert_repaired(x->f, &data);
    assert_int_equal(tf_fixture_count(x->f, x->f->state_db, "runs", "{\"active\": true}"), 0);
    fault_assert_proven(x->f);
}

static void failover__of(fixture *x, const breakage *how)
{
    tf_series s = tf_series_begin(how->name, how->what, how->quick, how->full);
    while (tf_series_next(&s))
        fail_over(x, &s, how);
}

static void failover__when_the_primary_steps_down(void **state)
{
    failover__of(*state, &breakages[0]);
}

static void failover__when_the_primary_is_killed(void **state)
{
    failover__of(*state, &breakages[1]);
}

static void failover__when_the_primary_is_stopped(void **state)
{
    failover__of(*state, &breakages[2]);
}

static void failover__when_the_primary_is_cut_off(void **state)
{
    failover__of(*state, &breakages[3]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failover__when_the_primary_steps_down),
        cmocka_unit_test(failover__when_the_primary_is_killed),
        cmocka_unit_test(failover__when_the_primary_is_stopped),
        cmocka_unit_test(failover__when_the_primary_is_cut_off),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
