#include "support/fixture.h"

#include "check/prerequisite.h"
#include "db/role.h"

static const char db_name[] = "shop", state_name[] = "shop_tokenfix";

/* A connection that exists only in what is known about it. */
typedef struct scene {
    tf_client client;
    tf_store store;
    tf_repair repair;
    tf_prerequisite_input input;
    tf_prerequisite_list list;
} scene;

static const char *const reads[] = {"owners", NULL};

static void set_scene(scene *s)
{
    *s = (scene){0};
    s->client.db = (char *)(uintptr_t)db_name;
    s->client.state_db = (char *)(uintptr_t)state_name;
    s->client.facts = (tf_facts){.version = "6.0.5",
                                 .major = 6,
                                 .set_name = "rs",
                                 .host = "a:1",
                                 .writable = true,
                                 .transactions = true,
                                 .members = 3};
    s->repair.collection = "things";
    tf_store_init(&s->store, NULL, db_name, state_name);
    s->input = (tf_prerequisite_input){
        .client = &s->client, .store = &s->store, .repair = &s->repair, .reads = reads, .documents = -1, .bytes = -1};
}

static const tf_prerequisite *only(const scene *s)
{
    assert_int_equal(s->list.count, 1);
    return &s->list.rows[0];
}

static void expect(const tf_prerequisite *row, const char *name, tf_prerequisite_state state, const char *message)
{
    assert_string_equal(row->name, name);
    assert_string_equal(tf_prerequisite_state_name(row->state), tf_prerequisite_state_name(state));
    if (!strstr(row->message, message))
        fail_msg("'%s' is not in '%s'", message, row->message);
    if (state == TF_PREREQUISITE_FAILED) {
        assert_true(row->hint[0]);
        assert_int_not_equal(row->code, TF_ERR_OK);
    }
}

static void version__below_five_is_refused_and_untested_ones_are_named(void **state)
{
    (void)state;
    static const struct {
        int major, minor;
        const char *text;
        tf_prerequisite_state state;
    } rows[] = {{4, 4, "4.4.29", TF_PREREQUISITE_FAILED},
                {5, 0, "5.0.1", TF_PREREQUISITE_WARNING},
                {6, 0, "6.0.5", TF_PREREQUISITE_OK},
                {7, 0, "7.0.2", TF_PREREQUISITE_WARNING}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        scene s;
        set_scene(&s);
        s.client.facts.major = rows[i].major;
        s.client.facts.minor = rows[i].minor;
        snprintf(s.client.facts.version, sizeof s.client.facts.version, "%s", rows[i].text);
        assert_true(tf_prerequisite_version(&s.input, &s.list, NULL));
        expect(only(&s), "server_version", rows[i].state, rows[i].text);
    }
}

static void topology__must_take_what_the_strategy_writes(void **state)
{
    (void)state;
    static const struct {
        bool set, sharded, writable;
        const char *strategy;
        tf_prerequisite_state state;
        tf_error_code code;
        const char *message;
    } rows[] = {
        {true, false, true, NULL, TF_PREREQUISITE_OK, TF_ERR_OK, "replica set rs, 3 members"},
        {true, false, true, "journal", TF_PREREQUISITE_OK, TF_ERR_OK, "replica set"},
        {true, false, false, NULL, TF_PREREQUISITE_FAILED, TF_ERR_NOT_WRITABLE, "not the primary"},
        {false, true, true, NULL, TF_PREREQUISITE_WARNING, TF_ERR_OK, "never run"},
        {false, false, true, NULL, TF_PREREQUISITE_FAILED, TF_ERR_UNSUPPORTED, "standalone"},
        {false, false, true, "transaction", TF_PREREQUISITE_FAILED, TF_ERR_UNSUPPORTED, "no transactions"},
        {false, false, true, "journal", TF_PREREQUISITE_WARNING, TF_ERR_OK, "journal strategy works"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        scene s;
        set_scene(&s);
        if (!rows[i].set)
            s.client.facts.set_name[0] = '\0';
        s.client.facts.sharded = rows[i].sharded;
        s.client.facts.writable = rows[i].writable;
        s.client.facts.transactions = rows[i].set || rows[i].sharded;
        s.input.strategy = rows[i].strategy;
        assert_true(tf_prerequisite_topology(&s.input, &s.list, NULL));
        expect(only(&s), "topology", rows[i].state, rows[i].message);
        assert_int_equal(only(&s)->code, rows[i].code);
    }
}

static void connection__that_is_slow_is_a_warning(void **state)
{
    (void)state;
    scene s;
    set_scene(&s);
    s.client.facts.round_trip_ms = 3;
    tf_prerequisite_connection(&s.input, &s.list, NULL);
    expect(only(&s), "connection", TF_PREREQUISITE_OK, "a:1 answers in 3 ms");
    s.list.count = 0;
    s.client.facts.round_trip_ms = 180;
    tf_prerequisite_connection(&s.input, &s.list, NULL);
    expect(only(&s), "connection", TF_PREREQUISITE_WARNING, "180 ms");
}

static void lag__is_judged_by_what_can_be_seen(void **state)
{
    (void)state;
    static const struct {
        tf_members members;
        tf_prerequisite_state state;
        const char *message;
    } rows[] = {
        {{.visible = true}, TF_PREREQUISITE_OK, "one member"},
        {{.visible = true, .secondaries = 1, .max_lag_ms = 7}, TF_PREREQUISITE_OK, "1 secondary, at most 7 ms behind"},
        {{.visible = true, .secondaries = 2, .max_lag_ms = 2000}, TF_PREREQUISITE_OK, "2 secondaries, at most 2000 ms"},
        {{.visible = true, .secondaries = 2, .max_lag_ms = 9001, .slowest = "b:2"},
         TF_PREREQUISITE_WARNING,
         "b:2 is 9 s behind"},
        {{.visible = true, .secondaries = 1, .unhealthy = 1, .unhealthy_name = "c:3"}, TF_PREREQUISITE_WARNING, "c:3"},
        {{.majority_known = true, .majority_reached = true, .majority_lag_ms = 12},
         TF_PREREQUISITE_WARNING,
         "not visible with these privileges"},
        {{.majority_known = true, .majority_reached = true, .majority_lag_ms = 2300, .visible = true},
         TF_PREREQUISITE_WARNING,
         "2300 ms behind"},
        {{.majority_known = true, .majority_lag_ms = 2500, .visible = true},
         TF_PREREQUISITE_WARNING,
         "has not followed"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        scene s;
        set_scene(&s);
        tf_prerequisite_lag(&s.client.facts, &rows[i].members, &s.list);
        expect(only(&s), "lag", rows[i].state, rows[i].message);
    }
}

static void lag__of_a_standalone_or_a_cluster(void **state)
{
    (void)state;
    scene s;
    tf_members none = {0};
    set_scene(&s);
    s.client.facts.set_name[0] = '\0';
    tf_prerequisite_lag(&s.client.facts, &none, &s.list);
    expect(only(&s), "lag", TF_PREREQUISITE_OK, "no other members");
    s.list.count = 0;
    s.client.facts.sharded = true;
    tf_prerequisite_lag(&s.client.facts, &none, &s.list);
    expect(only(&s), "lag", TF_PREREQUISITE_WARNING, "sharded");
}

static void clock__that_is_off_by_more_than_a_second_is_a_warning(void **state)
{
    (void)state;
    static const struct {
        tf_members members;
        tf_prerequisite_state state;
        const char *message;
    } rows[] = {
        {{.clocks = 0}, TF_PREREQUISITE_WARNING, "does not tell"},
        {{.clocks = 1, .clock_offset_ms = -3, .clock_doubt_ms = 2}, TF_PREREQUISITE_OK, "within 5 ms"},
        {{.clocks = 3, .clock_offset_ms = 4, .clock_spread_ms = 20},
         TF_PREREQUISITE_OK,
         "3 members agree within 20 ms"},
        {{.clocks = 1, .clock_offset_ms = 1500}, TF_PREREQUISITE_WARNING, "1500 ms ahead of"},
        {{.clocks = 1, .clock_offset_ms = -1500}, TF_PREREQUISITE_WARNING, "1500 ms behind"},
        {{.clocks = 1, .clock_offset_ms = 1500, .clock_doubt_ms = 600}, TF_PREREQUISITE_OK, "within 2100 ms"},
        {{.clocks = 3, .clock_offset_ms = 0, .clock_spread_ms = 1200}, TF_PREREQUISITE_WARNING, "differ by 1200 ms"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        scene s;
        set_scene(&s);
        tf_prerequisite_clock(&rows[i].members, &s.list);
        expect(only(&s), "clock", rows[i].state, rows[i].message);
    }
}

/* ---- privileges ---- */

static tf_privileges role_of(const char *state_db)
{
    bson_t *held = bson_new();
    tf_role_document("run", db_name, state_db, "things", reads, held);
    return (tf_privileges){.user = "u@admin", .held = held};
}

static void privileges__of_the_printed_role_are_enough(void **state)
{
    (void)state;
    scene s;
    set_scene(&s);
    _cleanup_(tf_privileges_done) tf_privileges held = role_of(state_name);
    tf_prerequisite_held(&s.input, &held, &s.list);
    assert_int_equal(s.list.count, 2);
    expect(&s.list.rows[0], "privileges", TF_PREREQUISITE_OK, "u@admin may do all that is needed on shop");
    expect(&s.list.rows[1], "state_privileges", TF_PREREQUISITE_OK, state_name);
}

static void privileges__each_missing_one_is_named(void **state)
{
    (void)state;
    scene s;
    set_scene(&s);
    _cleanup_(tf_privileges_done) tf_privileges held = {.user = "u@admin", .held = bson_new()};
    BCON_APPEND(held.held, "0", "{", "resource", "{", "db", db_name, "collection", "things", "}", "actions", "[",
                "find", "]", "}");
    tf_prerequisite_held(&s.input, &held, &s.list);
    expect(&s.list.rows[0], "privileges", TF_PREREQUISITE_FAILED, "u@admin lacks update on shop.things");
    expect(&s.list.rows[1], "state_privileges", TF_PREREQUISITE_FAILED,
           "find, insert, createCollection on shop_tokenfix; update, createIndex on shop_tokenfix.runs");
    assert_int_equal(s.list.rows[0].code, TF_ERR_PERMISSION);
}

static void privileges__that_only_show_less_are_a_warning(void **state)
{
    (void)state;
    scene s;
    set_scene(&s);
    _cleanup_(tf_privileges_done) tf_privileges held = {.user = "u@admin", .held = bson_new()};
    BCON_APPEND(held.held, "0", "{", "resource", "{", "db", db_name, "collection", "things", "}", "actions", "[",
                "find", "update", "]", "}", "1", "{", "resource", "{", "db", state_name, "collection", "", "}",
                "actions", "[", "find", "insert", "update", "createIndex", "]", "}");
    tf_prerequisite_held(&s.input, &held, &s.list);
    expect(&s.list.rows[0], "privileges", TF_PREREQUISITE_WARNING,
           "lacks find on shop.owners; listIndexes, listCollections, collStats, dbStats on shop");
    expect(&s.list.rows[1], "state_privileges", TF_PREREQUISITE_WARNING,
           "lacks listCollections, listIndexes, dbStats on");
    assert_true(tf_prerequisites_hold(&s.list, NULL));
}

static void privileges__in_one_database_are_looked_for_under_the_prefix(void **state)
{
    (void)state;
    scene s;
    set_scene(&s);
    s.client.state_db = s.client.db;
    tf_store_init(&s.store, NULL, db_name, db_name);
    _cleanup_(tf_privileges_done) tf_privileges held = role_of(db_name);
    tf_prerequisite_held(&s.input, &held, &s.list);
    expect(&s.list.rows[1], "state_privileges", TF_PREREQUISITE_FAILED, "update, createIndex on shop.tokenfix_runs");
    s.list.count = 0;
    tf_privileges all = {.everything = true};
    tf_prerequisite_held(&s.input, &all, &s.list);
    expect(&s.list.rows[0], "privileges", TF_PREREQUISITE_OK, "access control is off");
    expect(&s.list.rows[1], "state_privileges", TF_PREREQUISITE_WARNING, "kept in the repaired database");
}

static void privileges__of_nobody_ask_for_a_login(void **state)
{
    (void)state;
    scene s;
    set_scene(&s);
    tf_privileges nobody = {0};
    tf_prerequisite_held(&s.input, &nobody, &s.list);
    expect(&s.list.rows[0], "privileges", TF_PREREQUISITE_FAILED, "without a user");
    assert_non_null(strstr(s.list.rows[0].hint, "Log in"));
}

/* ---- the list ---- */

static void list__fails_with_what_is_about_privileges_first(void **state)
{
    (void)state;
    scene s;
    tf_error err = {0};
    set_scene(&s);
    tf_prerequisite_warn(&s.list, "index", NULL, "costs");
    assert_true(tf_prerequisites_hold(&s.list, &err));
    assert_int_equal(err.code, TF_ERR_OK);
    tf_prerequisite_fail(&s.list, "disk", TF_ERR_NOT_READY, "Make room.", "full");
    assert_false(tf_prerequisites_hold(&s.list, &err));
    assert_int_equal(tf_error_exit(err.code), 1);
    assert_string_equal(err.message, "full");
    assert_string_equal(err.hint, "Make room.");
    tf_error_clear(&err);
    tf_prerequisite_fail(&s.list, "privileges", TF_ERR_PERMISSION, "Grant it.", "u lacks find");
    tf_prerequisite_fail(&s.list, "topology", TF_ERR_NOT_WRITABLE, "Elsewhere.", "read-only");
    assert_false(tf_prerequisites_hold(&s.list, &err));
    assert_int_equal(tf_error_exit(err.code), 8);
    assert_string_equal(err.message, "Permission denied: u lacks find");
}

static void list__what_may_not_be_seen_is_a_warning_and_a_lost_connection_the_end(void **state)
{
    (void)state;
    scene s;
    set_scene(&s);
    tf_error err = {0}, denied = {.code = TF_ERR_PERMISSION, .message = "no"};
    assert_true(tf_prerequisite_unseen(&s.list, "disk", &denied, &err));
    expect(only(&s), "disk", TF_PREREQUISITE_WARNING, "not visible with these privileges");
    tf_error odd = {.code = TF_ERR_SERVER, .message = "odd"};
    assert_true(tf_prerequisite_unseen(&s.list, "disk", &odd, &err));
    expect(&s.list.rows[1], "disk", TF_PREREQUISITE_WARNING, "odd");
    tf_error lost = {.code = TF_ERR_CONNECT, .message = "lost", .labels = TF_LABEL_NETWORK};
    assert_false(tf_prerequisite_unseen(&s.list, "disk", &lost, &err));
    assert_string_equal(err.message, "lost");
    assert_int_equal(s.list.count, 2);
}

static void list__that_is_full_takes_no_more(void **state)
{
    (void)state;
    scene s;
    set_scene(&s);
    for (int i = 0; i < TF_PREREQUISITES_MAX + 3; i++)
        tf_prerequisite_ok(&s.list, "x", "%d", i);
    assert_int_equal(s.list.count, TF_PREREQUISITES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version__below_five_is_refused_and_untested_ones_are_named),
        cmocka_unit_test(topology__must_take_what_the_strategy_writes),
        cmocka_unit_test(connection__that_is_slow_is_a_warning),
        cmocka_unit_test(lag__is_judged_by_what_can_be_seen),
        cmocka_unit_test(lag__of_a_standalone_or_a_cluster),
        cmocka_unit_test(clock__that_is_off_by_more_than_a_second_is_a_warning),
        cmocka_unit_test(privileges__of_the_printed_role_are_enough),
        cmocka_unit_test(privileges__each_missing_one_is_named),
        cmocka_unit_test(privileges__that_only_show_less_are_a_warning),
        cmocka_unit_test(privileges__in_one_database_are_looked_for_under_the_prefix),
        cmocka_unit_test(privileges__of_nobody_ask_for_a_login),
        cmocka_unit_test(list__fails_with_what_is_about_privileges_first),
        cmocka_unit_test(list__what_may_not_be_seen_is_a_warning_and_a_lost_connection_the_end),
        cmocka_unit_test(list__that_is_full_takes_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
