/* What giving back one document means: every row of the table in the header. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "backup/restoration.h"

#include <string.h>
#include <tokenfix/cleanup.h>

static const char repair_text[] =
    "{\"collection\": \"c\", \"filter\": {\"s\": 1}, \"update\": [{\"$set\": {\"s\": 2, \"at\": 9, \"u\": 9}}, {\"$unset\": \"x\"}],"
    " \"touched\": [\"s\", \"at\", \"u\", \"x\"], \"updated\": [\"u\"]}";

static const char before[] = "{\"_id\": 1, \"s\": 1, \"u\": 3, \"x\": 5, \"o\": 7}";
static const char predicted[] = "{\"_id\": 1, \"s\": 2, \"u\": 9, \"o\": 7, \"at\": 9}";

typedef struct decision {
    const char *name;
    const char *now;
    tf_restoration skip, fields;
    const char *reason; /* of the conflict, where the policy is fields, else skip */
    const char *merged; /* NULL: not given back by fields */
} decision;

static const decision rows[] = {
    {"as predicted", predicted, TF_RESTORE_EXACT, TF_RESTORE_EXACT, NULL, NULL},
    {"as before", before, TF_RESTORE_ALREADY, TF_RESTORE_ALREADY, NULL, NULL},
    {"another field changed", "{\"_id\": 1, \"s\": 2, \"u\": 9, \"o\": 8, \"at\": 9}", TF_RESTORE_CONFLICT, TF_RESTORE_FIELDS,
     "other fields", "{\"_id\": 1, \"s\": 1, \"u\": 3, \"o\": 8, \"x\": 5}"},
    {"another field added", "{\"_id\": 1, \"n\": 0, \"s\": 2, \"u\": 9, \"o\": 7, \"at\": 9}", TF_RESTORE_CONFLICT, TF_RESTORE_FIELDS,
     "other fields", "{\"_id\": 1, \"n\": 0, \"s\": 1, \"u\": 3, \"o\": 7, \"x\": 5}"},
    {"another field gone", "{\"_id\": 1, \"s\": 2, \"u\": 9, \"at\": 9}", TF_RESTORE_CONFLICT, TF_RESTORE_FIELDS, "other fields",
     "{\"_id\": 1, \"s\": 1, \"u\": 3, \"x\": 5}"},
    {"only the order changed", "{\"_id\": 1, \"at\": 9, \"o\": 7, \"u\": 9, \"s\": 2}", TF_RESTORE_CONFLICT, TF_RESTORE_FIELDS,
     "other fields", "{\"_id\": 1, \"o\": 7, \"u\": 3, \"s\": 1, \"x\": 5}"},
    {"only the type of another field", "{\"_id\": 1, \"s\": 2, \"u\": 9, \"o\": {\"$numberLong\": \"7\"}, \"at\": 9}",
     TF_RESTORE_CONFLICT, TF_RESTORE_FIELDS, "other fields",
     "{\"_id\": 1, \"s\": 1, \"u\": 3, \"o\": {\"$numberLong\": \"7\"}, \"x\": 5}"},
    {"the update time changed", "{\"_id\": 1, \"s\": 2, \"u\": 10, \"o\": 8, \"at\": 9}", TF_RESTORE_CONFLICT, TF_RESTORE_FIELDS,
     "other fields", "{\"_id\": 1, \"s\": 1, \"u\": 10, \"o\": 8, \"x\": 5}"},
    {"the update time removed", "{\"_id\": 1, \"s\": 2, \"o\": 7, \"at\": 9}", TF_RESTORE_CONFLICT, TF_RESTORE_FIELDS, "other fields",
     "{\"_id\": 1, \"s\": 1, \"o\": 7, \"x\": 5}"},
    {"a touched field changed", "{\"_id\": 1, \"s\": 3, \"u\": 9, \"o\": 7, \"at\": 9}", TF_RESTORE_CONFLICT, TF_RESTORE_CONFLICT,
     ": s", NULL},
    {"a touched field changed back", "{\"_id\": 1, \"s\": 1, \"u\": 9, \"o\": 7, \"at\": 9}", TF_RESTORE_CONFLICT,
     TF_RESTORE_CONFLICT, ": s", NULL},
    {"spent again, at another time", "{\"_id\": 1, \"s\": 2, \"u\": 9, \"o\": 7, \"at\": 10}", TF_RESTORE_CONFLICT,
     TF_RESTORE_CONFLICT, ": at", NULL},
    {"only the type of a touched field", "{\"_id\": 1, \"s\": 2.0, \"u\": 9, \"o\": 7, \"at\": 9}", TF_RESTORE_CONFLICT,
     TF_RESTORE_CONFLICT, ": s", NULL},
    {"a touched field removed", "{\"_id\": 1, \"s\": 2, \"u\": 9, \"o\": 7}", TF_RESTORE_CONFLICT, TF_RESTORE_CONFLICT, ": at", NULL},
    {"a field that the repair removed is there again", "{\"_id\": 1, \"s\": 2, \"u\": 9, \"o\": 7, \"at\": 9, \"x\": 5}",
     TF_RESTORE_CONFLICT, TF_RESTORE_CONFLICT, ": x", NULL},
};

static bson_t *parse(const char *json)
{
    bson_error_t error;
    bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, &error);
    if (!doc)
        fail_msg("%s: %s", json, error.message);
    return doc;
}

static void decide(const tf_repair *repair, const decision *row, bool fields)
{
    _cleanup_(bson_destroyp) bson_t *now = parse(row->now), *was = parse(before), *should = parse(predicted);
    char reason[200] = "";
    tf_restoration expected = fields ? row->fields : row->skip;
    tf_restoration got = tf_restoration_decide(repair, now, was, should, fields, reason, sizeof reason);
    if (got != expected)
        fail_msg("%s, %s: %d instead of %d", row->name, fields ? "fields" : "skip", got, expected);
    if (got == TF_RESTORE_CONFLICT && !strstr(reason, row->reason))
        fail_msg("%s, %s: '%s' does not say '%s'", row->name, fields ? "fields" : "skip", reason, row->reason);
    assert_int_equal(tf_restoration_decide(repair, now, was, should, fields, NULL, 0), expected);
}

static void restoration__is_decided_from_three_images(void **state)
{
    (void)state;
    tf_error err = {0};
    tf_repair *repair = tf_repair_parse(repair_text, &err);
    assert_non_null(repair);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        decide(repair, &rows[i], false);
        decide(repair, &rows[i], true);
    }
    tf_repair_free(repair);
}

static void restoration__by_fields_keeps_the_rest(void **state)
{
    (void)state;
    tf_error err = {0};
    tf_repair *repair = tf_repair_parse(repair_text, &err);
    assert_non_null(repair);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!rows[i].merged)
            continue;
        _cleanup_(bson_destroyp) bson_t *now = parse(rows[i].now), *was = parse(before), *should = parse(predicted),
                                        *expected = parse(rows[i].merged);
        _cleanup_bson_ bson_t merged = BSON_INITIALIZER;
        tf_restoration_merge(repair, now, was, should, &merged);
        if (!bson_equal(&merged, expected))
            fail_msg("%s: %s instead of %s", rows[i].name, bson_as_canonical_extended_json(&merged, NULL), rows[i].merged);
    }
    tf_repair_free(repair);
}

/* now → wanted, and whether only touched fields (s, at, u, x) need to be written */
static const struct {
    const char *name, *now, *wanted;
    bool in_place;
} writes[] = {
    {"nothing", "{\"_id\": 1, \"s\": 2}", "{\"_id\": 1, \"s\": 2}", true},
    {"another value", "{\"_id\": 1, \"s\": 2, \"o\": 7}", "{\"_id\": 1, \"s\": {\"k\": 1}, \"o\": 7}", true},
    {"a field taken away", "{\"_id\": 1, \"s\": 2, \"o\": 7, \"at\": 9}", "{\"_id\": 1, \"s\": 1, \"o\": 7}", true},
    {"a field that comes back", "{\"_id\": 1, \"s\": 2}", "{\"_id\": 1, \"s\": 1, \"x\": 5}", false},
    {"another order", "{\"_id\": 1, \"s\": 2, \"u\": 3}", "{\"_id\": 1, \"u\": 3, \"s\": 2}", false},
    {"a field that is not touched", "{\"_id\": 1, \"s\": 2, \"o\": 7}", "{\"_id\": 1, \"s\": 2, \"o\": 8}", false},
    {"one that is not touched taken away", "{\"_id\": 1, \"s\": 2, \"o\": 7}", "{\"_id\": 1, \"s\": 2}", false},
};

static void restoration__in_place_writes_touched_fields_only(void **state)
{
    (void)state;
    tf_error err = {0};
    tf_repair *repair = tf_repair_parse(repair_text, &err);
    assert_non_null(repair);
    for (size_t i = 0; i < sizeof writes / sizeof *writes; i++) {
        _cleanup_(bson_destroyp) bson_t *now = bson_new_from_json((const uint8_t *)writes[i].now, -1, NULL);
        _cleanup_(bson_destroyp) bson_t *wanted = bson_new_from_json((const uint8_t *)writes[i].wanted, -1, NULL);
        if (tf_restoration_in_place(repair, now, wanted) != writes[i].in_place)
            fail_msg("%s", writes[i].name);
    }
    _cleanup_bson_ bson_t twice = BSON_INITIALIZER, wanted = BSON_INITIALIZER;
    BCON_APPEND(&twice, "s", BCON_INT32(1), "s", BCON_INT32(2));
    BCON_APPEND(&wanted, "s", BCON_INT32(3), "s", BCON_INT32(2));
    assert_false(tf_restoration_in_place(repair, &twice, &wanted));
    tf_repair_free(repair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(restoration__is_decided_from_three_images),
        cmocka_unit_test(restoration__by_fields_keeps_the_rest),
        cmocka_unit_test(restoration__in_place_writes_touched_fields_only),
    };
    return cmocka_run_group_tests_name("restoration", tests, NULL, NULL);
}
