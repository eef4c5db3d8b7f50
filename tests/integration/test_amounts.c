/* The server's expression and tf_amount_read say the same of every amount: else a sum of one is no proof of the other. */
#include "check/amount.h"
#include "db/operation.h"
#include "db/id.h"
#include "support/documents.h"
#include "support/oddities.h"

enum { VALUES = 6000, CHUNK = 1000, SEED = 7 };

static void append_near_the_limit(tf_random *r, bson_t *doc)
{
    char text[64];
    bson_decimal128_t decimal;
    snprintf(text, sizeof text, "%s9223372036854775%03dE%d", TF_BELOW(r, 2) ? "-" : "", 800 + TF_BELOW(r, 16), -TF_BELOW(r, 14));
    assert_true(bson_decimal128_from_string(text, &decimal));
    if (TF_BELOW(r, 3))
        BSON_APPEND_DECIMAL128(doc, "v", &decimal);
    else if (TF_BELOW(r, 2))
        BSON_APPEND_INT64(doc, "v", (INT64_MAX - TF_BELOW(r, 3)) / (TF_BELOW(r, 2) ? 1 : 100));
    else
        BSON_APPEND_DOUBLE(doc, "v", 9223372036854775808.0 / (TF_BELOW(r, 2) ? 1 : 100) * (TF_BELOW(r, 2) ? 1 : -1));
}

static void append_decimals(tf_random *r, bson_t *doc)
{
    char text[64];
    bson_decimal128_t decimal;
    snprintf(text, sizeof text, "%d.%0*d", TF_BELOW(r, 2000) - 1000, 1 + TF_BELOW(r, 13), TF_BELOW(r, 100));
    if (TF_BELOW(r, 2))
        BSON_APPEND_DOUBLE(doc, "v", strtod(text, NULL));
    else {
        assert_true(bson_decimal128_from_string(text, &decimal));
        BSON_APPEND_DECIMAL128(doc, "v", &decimal);
    }
}

static void append_amount(tf_random *r, bson_t *doc)
{
    switch (TF_BELOW(r, 8)) {
    case 0: BSON_APPEND_INT32(doc, "v", (int32_t)tf_random_next(r)); break;
    case 1: BSON_APPEND_INT64(doc, "v", (int64_t)tf_random_next(r) >> TF_BELOW(r, 60)); break;
    case 2: BSON_APPEND_DOUBLE(doc, "v", tf_random_unit(r) * pow(10, TF_BELOW(r, 40) - 20)); break;
    case 3: BSON_APPEND_DOUBLE(doc, "v", (double)((int64_t)tf_random_next(r) >> TF_BELOW(r, 60))); break;
    case 4:
    case 5: append_decimals(r, doc); break;
    case 6: append_near_the_limit(r, doc); break;
    default:
        if (TF_BELOW(r, 20))
            tf_odd_value(r, doc, "v", 1, 5);
    }
}

static void agree_on(const tf_docs *values, const tf_docs *answers, int scale)
{
    assert_int_equal(answers->count, values->count);
    for (size_t i = 0; i < values->count; i++) {
        bson_t value, answer;
        bson_iter_t v, a;
        int64_t mine = 0, theirs = 0;
        tf_docs_view(values, i, &value);
        tf_docs_view(answers, i, &answer);
        bool counts = bson_iter_init_find(&v, &value, "v") && tf_amount_read(&v, scale, &mine);
        bool says = bson_iter_init_find(&a, &answer, "a") && BSON_ITER_HOLDS_INT(&a);
        if (says)
            theirs = bson_iter_as_int64(&a);
        if (counts != says || mine != theirs)
            fail_msg("scale %d: %s: the client says %s %lld, the server %s", scale, tf_document_text(&value),
                     counts ? "counts" : "odd", (long long)mine, tf_document_text(&answer));
        if (!says)
            assert_true(BSON_ITER_HOLDS_NULL(&a));
    }
}

static void amounts__are_read_alike_by_client_and_server(void **state)
{
    static const int scales[] = {0, 2, 12};
    tf_fixture *f = *state;
    const tf_op op = {.client = f->client, .db = f->db, .what = "read amounts"};
    tf_random random = tf_random_stream(SEED, 0);
    for (int done = 0; done < VALUES; done += CHUNK) {
        TF_DOCS values = {0}, answers = {0};
        char name[32];
        snprintf(name, sizeof name, "values%d", done);
        _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *in = tf_documents_in(f, NULL, name);
        _cleanup_(mongoc_bulk_operation_destroyp) mongoc_bulk_operation_t *bulk =
            mongoc_collection_create_bulk_operation_with_opts(in, NULL);
        _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("validate", BCON_BOOL(false));
        bson_error_t error;
        for (int i = 0; i < CHUNK; i++) {
            _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
            BSON_APPEND_INT32(&doc, "_id", i);
            append_amount(&random, &doc);
            assert_true(mongoc_bulk_operation_insert_with_opts(bulk, &doc, opts, &error));
        }
        if (!mongoc_bulk_operation_execute(bulk, NULL, &error))
            fail_msg("insert: %s", error.message);
        tf_documents_read(f, NULL, name, &values);
        for (size_t s = 0; s < sizeof scales / sizeof *scales; s++) {
            _cleanup_bson_ bson_t projection = BSON_INITIALIZER;
            tf_amount_expression(&projection, "a", "v", scales[s]);
            _cleanup_(bson_destroyp) bson_t *pipeline =
                BCON_NEW("0", "{", "$sort", "{", "_id", BCON_INT32(1), "}", "}", "1", "{", "$project", BCON_DOCUMENT(&projection), "}");
            _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor =
                tf_op_aggregate(&op, name, pipeline, NULL);
            const bson_t *doc;
            tf_error err = {0};
            int got;
            tf_docs_clear(&answers);
            while ((got = tf_cursor_next(cursor, &op, &doc, &err)) == 1)
                tf_docs_add(&answers, doc);
            if (got < 0)
                fail_msg("scale %d: %s", scales[s], err.message);
            agree_on(&values, &answers, scales[s]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {TF_FIXTURE_TEST(amounts__are_read_alike_by_client_and_server)};
    return cmocka_run_group_tests_name("amounts", tests, NULL, NULL);
}
