/* Documents of the repaired database and of a backup, by threes: as backed up, as predicted, as it stands there now. */
#include "fuzz/fuzz.h"

#include "backup/delta.h"
#include "backup/lineage.h"
#include "backup/restoration.h"
#include "backup/snapshot.h"
#include "check/tally.h"
#include "report/json.h"
#include "report/mask.h"

#include <string.h>
#include <tokenfix/cleanup.h>

static const char repair_text[] =
    "{\"collection\": \"c\", \"filter\": {\"status\": \"open\"}, \"update\": [{\"$set\": {\"status\": \"paid\"}}],"
    " \"touched\": [\"status\", \"spent_at\", \"updatedAt\"], \"updated\": [\"updatedAt\"],"
    " \"ledger\": {\"owner\": [\"npub\", \"mint_url\"], \"amount\": \"total_amount\", \"status\": \"status\", \"scale\": 2},"
    " \"masked\": [\"proofs\", \"metadata.encoded_token\"]}";

static bool same(const bson_t *a, const bson_t *b)
{
    return a->len == b->len && memcmp(bson_get_data(a), bson_get_data(b), a->len) == 0;
}

static void print_masked(const void *arg)
{
    static const char *const paths[] = {"proofs", "metadata.encoded_token", NULL};
    _cleanup_bson_ bson_t masked = BSON_INITIALIZER;
    tf_mask_document(arg, paths, &masked);
    tf_json_print(stdout, &masked);
}

/* No change is always safe, and gives the same document again. */
static void alone(const tf_repair *repair, const bson_t *doc)
{
    fuzz_print(print_masked, doc);
    if (!tf_doc_is_sound(doc))
        return;
    _cleanup_bson_ bson_t composed = BSON_INITIALIZER;
    FUZZ_CHECK(tf_delta_is_safe(doc, doc));
    tf_lineage_compose(repair, doc, doc, &composed);
    if (!tf_snapshot_refusal(repair, doc))
        FUZZ_CHECK(same(&composed, doc));
}

static void together(const tf_repair *repair, const bson_t *before, const bson_t *predicted, const bson_t *now)
{
    _cleanup_bson_ bson_t merged = BSON_INITIALIZER, composed = BSON_INITIALIZER, moves = BSON_INITIALIZER;
    tf_error err = {0};
    char reason[200] = "";
    tf_tally *tally = tf_tally_new(repair);
    tf_delta_is_safe(before, now);
    FUZZ_CHECK(tf_restoration_decide(repair, predicted, before, predicted, true, reason, sizeof reason) == TF_RESTORE_EXACT);
    if (tf_restoration_decide(repair, now, before, predicted, true, reason, sizeof reason) == TF_RESTORE_CONFLICT)
        FUZZ_CHECK(reason[0]);
    tf_restoration_merge(repair, now, before, predicted, &merged);
    tf_lineage_compose(repair, before, predicted, &composed);
    if (tf_tally_add(tally, before, predicted, &err))
        tf_tally_create(tally, now, &err);
    tf_tally_append(tally, &moves, "moves");
    FUZZ_CHECK(err.code == TF_ERR_OK || err.code == TF_ERR_INVARIANT || err.code == TF_ERR_OVERFLOW);
    if (tf_doc_is_sound(before) && tf_doc_is_sound(predicted) && tf_doc_is_sound(now))
        FUZZ_CHECK(tf_doc_is_sound(&merged) && tf_doc_is_sound(&composed) && tf_doc_is_sound(&moves));
    tf_tally_free(tally);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static tf_repair *repair;
    bson_t docs[3];
    uint8_t *memory[3];
    size_t count = 0;
    tf_error err = {0};
    if (!repair)
        repair = tf_repair_parse(repair_text, &err);
    FUZZ_CHECK(repair);
    while (count < 3 && fuzz_document(&data, &size, &docs[count], &memory[count]))
        count++;
    for (size_t i = 0; i < count; i++)
        alone(repair, &docs[i]);
    if (count)
        together(repair, &docs[0], &docs[count > 1 ? 1 : 0], &docs[count - 1]);
    for (size_t i = 0; i < count; i++)
        free(memory[i]);
    return count ? 0 : -1;
}
