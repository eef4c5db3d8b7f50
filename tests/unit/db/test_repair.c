/* The form of a repair: each way to get it wrong, and what its time is bound to. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <tokenfix/cleanup.h>
#include <tokenfix/repair.h>

#define COLLECTION "\"collection\": \"c\""
#define FILTER "\"filter\": {\"s\": 1}"
#define UPDATE "\"update\": [{\"$set\": {\"s\": 2}}]"
#define TOUCHED "\"touched\": [\"s\"]"
#define VALID COLLECTION ", " FILTER ", " UPDATE ", " TOUCHED
#define LEDGER "\"owner\": [\"o\"], \"amount\": \"a\", \"status\": \"s\""

static const struct {
    const char *json, *says;
} invalid[] = {
    {"{", "not valid JSON"},
    {"{}", "'collection' is missing"},
    {"{" FILTER ", " UPDATE ", " TOUCHED "}", "'collection' is missing"},
    {"{" COLLECTION ", " UPDATE ", " TOUCHED "}", "'filter' is missing"},
    {"{" COLLECTION ", \"filter\": {}, " UPDATE ", " TOUCHED "}", "match everything"},
    {"{" COLLECTION ", \"filter\": [], " UPDATE ", " TOUCHED "}", "'filter' must be a document"},
    {"{" COLLECTION ", " FILTER ", " TOUCHED "}", "'update' is missing"},
    {"{" COLLECTION ", " FILTER ", " UPDATE "}", "'touched' is missing"},
    {"{" COLLECTION ", " FILTER ", " UPDATE ", \"touched\": []}", "'touched' is missing"},
    {"{" COLLECTION ", " FILTER ", " UPDATE ", \"touched\": \"s\"}", "must be an array"},
    {"{" COLLECTION ", " FILTER ", " UPDATE ", \"touched\": [1]}", "must be a string"},
    {"{" COLLECTION ", " FILTER ", " UPDATE ", \"touched\": [\"s\", \"_id\"]}", "never _id"},
    {"{" COLLECTION ", " FILTER ", " UPDATE ", \"touched\": [\"s\", \"a.b\"]}", "top-level"},
    {"{\"collection\": \"\", " FILTER ", " UPDATE ", " TOUCHED "}", "not empty"},
    {"{\"collection\": 1, " FILTER ", " UPDATE ", " TOUCHED "}", "must be a string"},
    {"{" VALID ", \"nuon\": \"x\"}", "unknown key 'nuon'"},
    {"{" VALID ", \"population\": 1}", "'population' must be a document"},
    {"{" VALID ", \"masked\": [\"\"]}", "not empty"},
    {"{" COLLECTION ", " FILTER ", \"update\": {\"$set\": {\"s\": 2}}, " TOUCHED "}", "'update' must be an array"},
    {"{" COLLECTION ", " FILTER ", \"update\": [], " TOUCHED "}", "no stage"},
    {"{" COLLECTION ", " FILTER ", \"update\": [1], " TOUCHED "}", "must be a document"},
    {"{" COLLECTION ", " FILTER ", \"update\": [{}], " TOUCHED "}", "must be a document"},
    {"{" COLLECTION ", " FILTER ", \"update\": [{\"$set\": 1}], " TOUCHED "}", "must hold"},
    {"{" COLLECTION ", " FILTER ", \"update\": [{\"$inc\": {\"s\": 2}}], " TOUCHED "}", "$set, $unset and $replaceWith only"},
    {"{" COLLECTION ", " FILTER ", \"update\": [{\"$set\": {\"s\": 1}, \"$unset\": \"s\"}], " TOUCHED "}", "one operator"},
    {"{" COLLECTION ", " FILTER ", \"update\": [{\"$set\": {\"t\": 2}}], " TOUCHED "}", "changes 't'"},
    {"{" COLLECTION ", " FILTER ", \"update\": [{\"$set\": {\"t.x\": 2}}], " TOUCHED "}", "changes 't'"},
    {"{" COLLECTION ", " FILTER ", \"update\": [{\"$unset\": \"t\"}], " TOUCHED "}", "'touched' does not list"},
    {"{" COLLECTION ", " FILTER ", \"update\": [{\"$unset\": [\"s\", \"t\"]}], " TOUCHED "}", "changes 't'"},
    {"{" COLLECTION ", " FILTER ", \"update\": [{\"$unset\": [1]}], " TOUCHED "}", "does not list"},
    {"{" VALID ", \"ledger\": 1}", "'ledger' must be a document"},
    {"{" VALID ", \"ledger\": {}}", "owner, amount and status"},
    {"{" VALID ", \"ledger\": {\"owner\": \"o\", \"amount\": \"a\", \"status\": \"s\"}}", "must be an array"},
    {"{" VALID ", \"ledger\": {\"owner\": [], \"amount\": \"a\", \"status\": \"s\"}}", "owner, amount and status"},
    {"{" VALID ", \"ledger\": {\"owner\": [\"1\", \"2\", \"3\", \"4\", \"5\"], \"amount\": \"a\", \"status\": \"s\"}}", "more than 4"},
    {"{" VALID ", \"ledger\": {" LEDGER ", \"scale\": 13}}", "from 0 to 12"},
    {"{" VALID ", \"ledger\": {" LEDGER ", \"scale\": -1}}", "from 0 to 12"},
    {"{" VALID ", \"ledger\": {" LEDGER ", \"scale\": \"2\"}}", "from 0 to 12"},
    {"{" VALID ", \"ledger\": {" LEDGER ", \"scale\": 4294967298}}", "from 0 to 12"},
    {"{" VALID ", \"invariants\": [], \"invariants\": [{\"name\": \"x\", \"holds\": true}]}", "the key 'invariants' is there twice"},
    {"{" VALID ", \"filter\": {\"s\": 1}}", "the key 'filter' is there twice"},
    {"{" VALID ", \"ledger\": {" LEDGER ", \"colour\": 1}}", "unknown key"},
    {"{" VALID ", \"ledger\": {" LEDGER ", \"unit\": 1}}", "must be a string"},
    {"{" VALID ", \"ledger\": {" LEDGER ", \"statuses\": \"a\"}}", "must be an array"},
    {"{" VALID ", \"ledger\": {" LEDGER ", \"statuses\": [\"a\", \"b\", \"a\"]}}", "names one twice"},
    {"{" VALID ", \"ledger\": {" LEDGER ", \"statuses\": [\"\"]}}", "not empty"},
    {"{" VALID ", \"ledger\": {" LEDGER ", \"statuses\": [\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\"]}}",
     "more than 16"},
    {"{" VALID ", \"ledger\": {" LEDGER ", \"statuses\": [\"a\"], \"balance\": [\"b\"]}}", "'ledger.balance' holds some"},
    {"{" VALID ", \"ledger\": {" LEDGER ", \"balance\": [\"a\"]}}", "'ledger.balance' holds some"},
    {"{" VALID ", \"ledger\": {" LEDGER ", \"statuses\": [\"a\"], \"balance\": [\"a\"], \"uncounted\": [\"a\"]}}", "none of 'ledger.uncounted'"},
    {"{" VALID ", \"ledger\": {" LEDGER ", \"statuses\": [\"a\"], \"uncounted\": [\"b\"]}}", "'ledger.uncounted' holds some"},
    {"{" VALID ", \"ledger\": {" LEDGER ", \"statuses\": [1]}}", "must be a string"},
    {"{" VALID ", \"invariants\": {}}", "must be an array"},
    {"{" VALID ", \"invariants\": [1]}", "{name, holds}"},
    {"{" VALID ", \"invariants\": [{\"name\": \"x\"}]}", "needs name and holds"},
    {"{" VALID ", \"invariants\": [{\"holds\": true}]}", "needs name and holds"},
    {"{" VALID ", \"invariants\": [{\"name\": \"x\", \"holds\": true, \"holds\": false}]}", "only name and holds"},
    {"{" VALID ", \"invariants\": [{\"name\": 1, \"holds\": true}]}", "must be a string"},
};

static void repair__of_an_invalid_form_is_refused_with_its_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
        tf_error err = {0};
        tf_repair *repair = tf_repair_parse(invalid[i].json, &err);
        if (repair)
            fail_msg("%s is taken", invalid[i].json);
        assert_int_equal(err.code, TF_ERR_INVALID);
        if (!strstr(err.message, invalid[i].says))
            fail_msg("%s: '%s' does not say '%s'", invalid[i].json, err.message, invalid[i].says);
    }
}

static void repair__has_at_most_64_touched_fields(void **state)
{
    (void)state;
    for (int count = 64; count <= 65; count++) {
        char *json = NULL;
        size_t size;
        tf_error err = {0};
        FILE *out = open_memstream(&json, &size);
        fputs("{" COLLECTION ", " FILTER ", " UPDATE ", \"touched\": [\"s\"", out);
        for (int i = 1; i < count; i++)
            fprintf(out, ", \"f%d\"", i);
        fputs("]}", out);
        fclose(out);
        tf_repair *repair = tf_repair_parse(json, &err);
        assert_true((repair != NULL) == (count == 64));
        tf_repair_free(repair);
        free(json);
    }
}

static void repair__knows_what_it_touches(void **state)
{
    (void)state;
    tf_error err = {0};
    _cleanup_(tf_repair_freep) tf_repair *repair =
        tf_repair_parse("{" COLLECTION ", " FILTER ", " UPDATE ", \"touched\": [\"s\", \"u\"], \"updated\": [\"u\"]}", &err);
    assert_non_null(repair);
    assert_string_equal(repair->noun, "document");
    assert_true(bson_empty(&repair->population));
    assert_false(repair->ledger.present);
    assert_true(tf_repair_touches(repair, "s") && tf_repair_touches(repair, "u"));
    assert_false(tf_repair_touches(repair, "S") || tf_repair_touches(repair, "") || tf_repair_touches(repair, "filter"));
    assert_true(tf_repair_is_update_time(repair, "u"));
    assert_false(tf_repair_is_update_time(repair, "s"));
    tf_repair_free(NULL);
}

/* A repair that was stored before ledgers named their statuses has none: every status counts. */
static void repair__knows_which_statuses_make_a_balance(void **state)
{
    (void)state;
    tf_error err = {0};
    _cleanup_(tf_repair_freep) tf_repair *old = tf_repair_parse("{" VALID ", \"ledger\": {" LEDGER "}}", &err);
    _cleanup_(tf_repair_freep) tf_repair *part =
        tf_repair_parse("{" VALID ", \"ledger\": {" LEDGER ", \"statuses\": [\"a\", \"b\", \"c\"], \"uncounted\": [\"c\"]}}", &err);
    _cleanup_(tf_repair_freep) tf_repair *full = tf_repair_parse(
        "{" VALID ", \"ledger\": {" LEDGER ", \"statuses\": [\"a\", \"b\", \"c\"], \"balance\": [\"a\"], \"uncounted\": [\"c\"]}}", &err);
    assert_true(old && part && full);
    assert_null(old->ledger.statuses[0]);
    assert_true(tf_repair_is_counted(old, "a") && tf_repair_is_balance(old, "a"));
    assert_true(tf_repair_is_balance(part, "a") && tf_repair_is_balance(part, "b"));
    assert_false(tf_repair_is_balance(part, "c") || tf_repair_is_counted(part, "c"));
    assert_true(tf_repair_is_balance(full, "a") && tf_repair_is_counted(full, "b"));
    assert_false(tf_repair_is_balance(full, "b") || tf_repair_is_balance(full, "c") || tf_repair_is_counted(full, "c"));
    assert_string_equal(full->ledger.statuses[2], "c");
    assert_null(full->ledger.statuses[3]);
}

static void repair__binds_its_time_but_for_literals(void **state)
{
    (void)state;
    tf_error err = {0};
    _cleanup_(tf_repair_freep) tf_repair *repair = tf_repair_parse(
        "{" COLLECTION ", " FILTER ", \"update\": [{\"$set\": {\"s\": \"$$RUN_STARTED\", \"t\": {\"$cond\": [true, [\"$$RUN_STARTED\"],"
        " {\"$literal\": \"$$RUN_STARTED\"}]}, \"u\": {\"$literal\": {\"x\": [\"$$RUN_STARTED\"]}}, \"v\": \"$$RUN_STARTED \"}}],"
        " \"touched\": [\"s\", \"t\", \"u\", \"v\"], \"invariants\": [{\"name\": \"n\", \"holds\": {\"$eq\": [\"$s\", \"$$RUN_STARTED\"]}},"
        " {\"name\": \"m\", \"holds\": \"$$RUN_STARTED\"}]}",
        &err);
    if (!repair)
        fail_msg("%s", err.message);
    _cleanup_bson_ bson_t update = BSON_INITIALIZER, holds = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *bound =
        BCON_NEW("0", "{", "$set", "{", "s", BCON_DATE_TIME(5), "t", "{", "$cond", "[", BCON_BOOL(true), "[", BCON_DATE_TIME(5), "]", "{",
                 "$literal", "$$RUN_STARTED", "}", "]", "}", "u", "{", "$literal", "{", "x", "[", "$$RUN_STARTED", "]", "}", "}", "v",
                 "$$RUN_STARTED ", "}", "}");
    tf_repair_bind_update(repair, 5, &update);
    if (!bson_equal(&update, bound))
        fail_msg("%s", bson_as_canonical_extended_json(&update, NULL));
    _cleanup_(bson_destroyp) bson_t *both =
        BCON_NEW("k", "{", "$eq", "[", "$s", BCON_DATE_TIME(5), "]", "}", "l", BCON_DATE_TIME(5));
    tf_repair_bind_invariant(repair, 0, 5, "k", &holds);
    tf_repair_bind_invariant(repair, 1, 5, "l", &holds);
    assert_true(bson_equal(&holds, both));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repair__of_an_invalid_form_is_refused_with_its_reason),
        cmocka_unit_test(repair__has_at_most_64_touched_fields),
        cmocka_unit_test(repair__knows_what_it_touches),
        cmocka_unit_test(repair__knows_which_statuses_make_a_balance),
        cmocka_unit_test(repair__binds_its_time_but_for_literals),
    };
    return cmocka_run_group_tests_name("repair", tests, NULL, NULL);
}
