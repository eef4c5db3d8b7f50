/* A run's document, intact and damaged. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/run.h"

#include <tokenfix/cleanup.h>

static const char intact[] =
    "{\"_id\": \"20261120t173012-004-3fa9c1\", \"migration\": \"004_x\", \"db\": \"wallet\", \"direction\": \"down\","
    " \"restores\": \"20261120t170000-004-aaaaaa\", \"strategy\": \"journal\", \"state\": \"running\", \"active\": true,"
    " \"started_at\": {\"$date\": {\"$numberLong\": \"1700000000000\"}}, \"repair\": {\"collection\": \"c\"},"
    " \"options\": {\"batch_size\": {\"$numberLong\": \"15\"}, \"on_conflict\": \"fields\", \"recreate_deleted\": true},"
    " \"lease\": {\"fence\": {\"$numberLong\": \"3\"}, \"until\": {\"$date\": {\"$numberLong\": \"1700000030000\"}},"
    " \"owner\": {\"id\": \"o\", \"host\": \"elsewhere\", \"boot\": \"b\", \"space\": \"\", \"user\": \"ann\","
    " \"pid\": {\"$numberLong\": \"7\"}, \"started\": {\"$numberLong\": \"9\"}}}, \"lease_left_ms\": {\"$numberLong\": \"5\"}}";

static bson_t *intact_doc(void)
{
    bson_error_t error;
    bson_t *doc = bson_new_from_json((const uint8_t *)intact, -1, &error);
    if (!doc)
        fail_msg("%s", error.message);
    return doc;
}

static void run__is_read_from_its_document(void **state)
{
    (void)state;
    _cleanup_(bson_destroyp) bson_t *doc = intact_doc();
    tf_run run = {0};
    tf_error err = {0};
    assert_true(tf_run_parse(doc, &run, &err));
    assert_string_equal(run.id, "20261120t173012-004-3fa9c1");
    assert_string_equal(run.restores, "20261120t170000-004-aaaaaa");
    assert_string_equal(run.collection, "c");
    assert_true(run.down && run.active && run.recreate_deleted);
    assert_string_equal(run.strategy, "journal");
    assert_string_equal(run.conflict_policy, "fields");
    assert_int_equal(run.stored, TF_STATE_RUNNING);
    assert_int_equal(run.state, TF_STATE_RUNNING);
    assert_int_equal(run.fence, 3);
    assert_int_equal(run.owner.pid, 7);
    tf_run_done(&run);
}

/* The document with the field `path` (one dot at most, two for the owner's) replaced by what `json` holds under "v", or left
 * out where it holds nothing. */
static void replace(const bson_t *doc, const char *path, const bson_t *with, bson_t *out)
{
    bson_iter_t iter, value;
    size_t length = strcspn(path, ".");
    if (!bson_iter_init(&iter, doc))
        fail();
    while (bson_iter_next(&iter)) {
        const char *key = bson_iter_key(&iter);
        if (strncmp(key, path, length) != 0 || key[length]) {
            bson_append_iter(out, key, -1, &iter);
        } else if (path[length]) {
            uint32_t size;
            const uint8_t *data;
            bson_t child, changed;
            bson_iter_document(&iter, &size, &data);
            assert_true(bson_init_static(&child, data, size));
            bson_append_document_begin(out, key, -1, &changed);
            replace(&child, path + length + 1, with, &changed);
            bson_append_document_end(out, &changed);
        } else if (bson_iter_init_find(&value, with, "v"))
            bson_append_iter(out, key, -1, &value);
    }
}

static void run__that_is_damaged_is_refused_by_the_name_of_the_field(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"_id", "{}", "run without an id of the state database is damaged: '_id' is missing"},
        {"_id", "{\"v\": \"../x\"}", "run ../x of the state database is damaged: '_id' is not of its form"},
        {"_id", "{\"v\": \"\"}", "'_id' is not of its form"},
        {"_id", "{\"v\": \"a\\u0000b\"}", "'_id' is not of its form"},
        {"_id", "{\"v\": 7}", "run without an id of the state database is damaged: '_id' is not of its form"},
        {"migration", "{\"v\": null}", "'migration' is not of its form"},
        {"direction", "{}", "'direction' is missing"},
        {"direction", "{\"v\": \"sideways\"}", "'direction' is not of its form"},
        {"restores", "{}", "'restores' is missing"},
        {"strategy", "{\"v\": \"hope\"}", "'strategy' is not of its form"},
        {"state", "{\"v\": \"done\"}", "'state' is not of its form"},
        {"active", "{\"v\": 1}", "'active' is not of its form"},
        {"started_at", "{\"v\": 5}", "'started_at' is not of its form"},
        {"started_at", "{\"v\": {\"$date\": {\"$numberLong\": \"-1\"}}}", "'started_at' is not of its form"},
        {"started_at", "{\"v\": {\"$date\": {\"$numberLong\": \"9223372036854775807\"}}}", "'started_at' is not of its form"},
        {"options.batch_size", "{\"v\": {\"$numberLong\": \"-5\"}}", "'options.batch_size' is not of its form"},
        {"options.on_conflict", "{\"v\": \"overwrite\"}", "'options.on_conflict' is not of its form"},
        {"options.recreate_deleted", "{\"v\": \"no\"}", "'options.recreate_deleted' is not of its form"},
        {"lease", "{}", "'lease.fence' is missing"},
        {"lease", "{\"v\": []}", "'lease.fence' is missing"},
        {"lease.fence", "{\"v\": 0}", "'lease.fence' is not of its form"},
        {"lease.fence", "{\"v\": {\"$numberLong\": \"9223372036854775807\"}}", "'lease.fence' is not of its form"},
        {"lease.until", "{\"v\": null}", "'lease.until' is not of its form"},
        {"lease.owner.pid", "{\"v\": \"7\"}", "'lease.owner.pid' is not of its form"},
        {"lease.owner.host", "{}", "'lease.owner.host' is missing"},
    };
    _cleanup_(bson_destroyp) bson_t *doc = intact_doc();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        _cleanup_(bson_destroyp) bson_t *with = bson_new_from_json((const uint8_t *)rows[i][1], -1, NULL);
        _cleanup_bson_ bson_t damaged = BSON_INITIALIZER;
        tf_run run = {.fence = 42};
        tf_error err = {0};
        assert_non_null(with);
        replace(doc, rows[i][0], with, &damaged);
        if (tf_run_parse(&damaged, &run, &err))
            fail_msg("%s as %s was read", rows[i][0], rows[i][1]);
        assert_int_equal(err.code, TF_ERR_DAMAGED);
        if (!strstr(err.message, rows[i][2]))
            fail_msg("%s as %s: %s", rows[i][0], rows[i][1], err.message);
        assert_string_equal(err.hint, "docs/runbook.md, 'A damaged state database'.");
        assert_int_equal(run.fence, 42);
    }
}

static void run__with_a_name_twice_is_refused(void **state)
{
    (void)state;
    _cleanup_(bson_destroyp) bson_t *doc = intact_doc();
    tf_run run = {0};
    tf_error err = {0};
    BCON_APPEND(doc, "plan", "[", "{", "n", BCON_INT32(1), "n", BCON_INT32(2), "}", "]");
    assert_false(tf_run_parse(doc, &run, &err));
    assert_int_equal(err.code, TF_ERR_DAMAGED);
    assert_string_equal(err.message, "a run of the state database holds a name twice");
}

static void run__nested_beyond_any_measure_is_refused(void **state)
{
    (void)state;
    enum { LEVELS = 300 };
    _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
    bson_t levels[LEVELS];
    bson_t *at = &doc;
    tf_run run = {0};
    tf_error err = {0};
    for (int i = 0; i < LEVELS; i++) {
        bson_append_document_begin(at, "a", 1, &levels[i]);
        at = &levels[i];
    }
    for (int i = LEVELS - 1; i >= 0; i--)
        bson_append_document_end(i ? &levels[i - 1] : &doc, &levels[i]);
    assert_false(tf_run_parse(&doc, &run, &err));
    assert_int_equal(err.code, TF_ERR_DAMAGED);
    assert_string_equal(err.message, "a run of the state database is not BSON, or nested too deeply");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run__is_read_from_its_document),
        cmocka_unit_test(run__that_is_damaged_is_refused_by_the_name_of_the_field),
        cmocka_unit_test(run__with_a_name_twice_is_refused),
        cmocka_unit_test(run__nested_beyond_any_measure_is_refused),
    };
    return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}
