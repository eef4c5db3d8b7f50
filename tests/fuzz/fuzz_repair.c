/* A repair, as Extended JSON (an input that begins with a brace) or as the BSON that a run holds; and what is made of it. */
#include "fuzz/fuzz.h"

#include "base/docs.h"
#include "check/amount.h"
#include "check/since.h"
#include "check/tally.h"
#include "cmd/terms.h"

#include <string.h>
#include <tokenfix/cleanup.h>
#include <tokenfix/repair.h>

static void check_names(const tf_repair *repair)
{
    size_t touched = 0;
    while (repair->touched[touched]) {
        FUZZ_CHECK(tf_repair_touches(repair, repair->touched[touched]));
        FUZZ_CHECK(strcmp(repair->touched[touched], "_id") != 0);
        touched++;
    }
    FUZZ_CHECK(touched > 0 && touched <= TF_TOUCHED_MAX);
    FUZZ_CHECK(*repair->collection && !bson_empty(&repair->filter) && repair->noun);
}

static void check_ledger(const tf_repair *repair)
{
    _cleanup_bson_ bson_t out = BSON_INITIALIZER;
    if (!repair->ledger.present)
        return;
    FUZZ_CHECK(repair->ledger.owners > 0 && repair->ledger.owners <= TF_LEDGER_OWNERS_MAX);
    FUZZ_CHECK(repair->ledger.scale >= 0 && repair->ledger.scale <= 12);
    for (const char **name = repair->ledger.balance; *name; name++)
        FUZZ_CHECK(tf_repair_is_balance(repair, *name) && tf_repair_is_counted(repair, *name));
    for (const char **name = repair->ledger.uncounted; *name; name++)
        FUZZ_CHECK(!tf_repair_is_balance(repair, *name) && !tf_repair_is_counted(repair, *name));
    tf_tally_owner_expression(repair, &out, "o", false);
    tf_tally_owner_key(repair, &out);
    tf_tally_project(repair, &out);
    tf_amount_expression(&out, "a", repair->ledger.amount, repair->ledger.scale);
    FUZZ_CHECK(tf_doc_is_sound(&out));
}

static void use(const tf_repair *repair)
{
    _cleanup_bson_ bson_t update = BSON_INITIALIZER, rest = BSON_INITIALIZER;
    tf_terms terms;
    check_names(repair);
    check_ledger(repair);
    tf_repair_bind_update(repair, 1700000000000, &update);
    FUZZ_CHECK(bson_count_keys(&update) == bson_count_keys(&repair->update));
    for (size_t i = 0; i < repair->invariants_count; i++)
        tf_repair_bind_invariant(repair, i, 1700000000000, "holds", &rest);
    FUZZ_CHECK(bson_count_keys(&rest) == repair->invariants_count);
    tf_since_expression(repair, 1700000000000, &rest, "since");
    FUZZ_CHECK(tf_doc_is_sound(&update) && tf_doc_is_sound(&rest));
    tf_terms_of_repair(repair, &terms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tf_error err = {0};
    _cleanup_(tf_repair_freep) tf_repair *repair = NULL, *again = NULL;
    if (size && data[0] == '{') {
        char *text = fuzz_text(data, size);
        repair = tf_repair_parse(text, &err);
        free(text);
    } else {
        bson_t doc;
        uint8_t *memory;
        if (!fuzz_document(&data, &size, &doc, &memory))
            return -1;
        repair = tf_repair_from_bson(&doc, &err);
        free(memory);
    }
    FUZZ_CHECK(repair ? err.code == TF_ERR_OK : err.code == TF_ERR_INVALID && err.message[0]);
    if (!repair)
        return 0;
    use(repair);
    again = tf_repair_from_bson(repair->doc, &err);
    FUZZ_CHECK(again && bson_equal(again->doc, repair->doc));
    return 0;
}
