/* A partition's document, intact and damaged. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/partition.h"

#include <tokenfix/cleanup.h>

#define BEGIN "{\"_id\": \"run-p003\", \"run\": \"run\", \"n\": 3, "
#define COUNTS "\"seq\": {\"$numberLong\": \"2\"}, \"fence\": {\"$numberLong\": \"1\"}, \"finished\": false, "
#define TARGET "\"target_seq\": {\"$numberLong\": \"4\"}, \"target_done\": {\"$numberLong\": \"0\"}"
#define INTENT "\"seq\": {\"$numberLong\": \"3\"}, \"ids\": [1, 2], \"from\": {\"v\": 0}, "

static bool parse(const char *json, tf_partition *out, tf_error *err)
{
    bson_error_t error;
    _cleanup_(bson_destroyp) bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, &error);
    if (!doc)
        fail_msg("%s: %s", json, error.message);
    return tf_partition_parse(doc, out, err);
}

static void partition__is_read_from_its_document(void **state)
{
    (void)state;
    tf_partition p = {0};
    tf_error err = {0};
    assert_true(parse(BEGIN COUNTS TARGET ", \"after\": {\"v\": \"a\"}, \"cursor\": {\"v\": null},"
                      " \"lsid\": {\"id\": 1}, \"intent\": {" INTENT TARGET "}}", &p, &err));
    assert_string_equal(p.id, "run-p003");
    assert_int_equal(p.n, 3);
    assert_int_equal(p.seq, 2);
    assert_int_equal(p.target_seq, 4);
    assert_int_equal(p.bounds.after.value_type, BSON_TYPE_UTF8);
    assert_true(tf_id_is_open(&p.bounds.upto));
    assert_int_equal(p.cursor.value_type, BSON_TYPE_NULL);
    assert_true(p.intent && p.lsid && !p.has_uid && !p.finished);
    tf_partition_done(&p);
}

static void partition__that_is_damaged_is_refused_by_the_name_of_the_field(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {BEGIN TARGET "}", "partition run-p003 of the state database is damaged: 'seq' is missing"},
        {"{\"_id\": \"run-p003\", \"n\": -1, " COUNTS TARGET "}", "'n' is not of its form"},
        {BEGIN COUNTS "\"target_seq\": 4, \"target_done\": {\"$numberLong\": \"-1\"}}", "'target_done' is not of its form"},
        {BEGIN COUNTS TARGET ", \"cursor\": {\"w\": 1}}", "'cursor' is not of its form"},
        {BEGIN COUNTS TARGET ", \"upto\": 9}", "'upto' is not of its form"},
        {BEGIN COUNTS TARGET ", \"uid\": {\"$binary\": {\"base64\": \"AAAA\", \"subType\": \"00\"}}}", "'uid' is not of its form"},
        {BEGIN COUNTS TARGET ", \"lsid\": [1]}", "'lsid' is not of its form"},
        {BEGIN COUNTS TARGET ", \"intent\": 1}", "'intent' is not of its form"},
        {BEGIN COUNTS TARGET ", \"intent\": {}}", "'intent.seq' is missing"},
        {BEGIN COUNTS TARGET ", \"intent\": {\"seq\": 3, \"ids\": {\"a\": 1}, " TARGET "}}", "'intent.ids' is not of its form"},
        {BEGIN COUNTS TARGET ", \"intent\": {" INTENT "\"target_seq\": -1, \"target_done\": 0}}",
         "'intent.target_seq' is not of its form"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tf_partition p = {0};
        tf_error err = {0};
        if (parse(rows[i][0], &p, &err))
            fail_msg("was read: %s", rows[i][0]);
        assert_int_equal(err.code, TF_ERR_DAMAGED);
        if (!strstr(err.message, rows[i][1]))
            fail_msg("%s: %s", rows[i][0], err.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partition__is_read_from_its_document),
        cmocka_unit_test(partition__that_is_damaged_is_refused_by_the_name_of_the_field),
    };
    return cmocka_run_group_tests_name("partition", tests, NULL, NULL);
}
