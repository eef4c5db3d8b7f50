/* What else is read back from the state database: partitions, batch records, events, ledger rows; each document of the input
 * is taken for each of them. */
#include "fuzz/fuzz.h"

#include "cmd/history_report.h"
#include "report/json.h"
#include "store/batch.h"
#include "store/event.h"
#include "store/ledger.h"
#include "store/partition.h"

#include <string.h>
#include <tokenfix/cleanup.h>

enum { DOCUMENTS = 4 };

static void read_partition(const bson_t *doc)
{
    tf_partition partition = {0};
    tf_error err = {0};
    bool good = tf_partition_parse(doc, &partition, &err);
    FUZZ_CHECK(good ? err.code == TF_ERR_OK : err.code == TF_ERR_DAMAGED && err.hint[0]);
    FUZZ_CHECK(!good || (partition.n >= 0 && partition.seq >= 0 && partition.fence > 0 && partition.target_seq >= 0 &&
                         partition.target_done >= 0));
    tf_partition_done(&partition);
}

static void read_batch(const bson_t *doc)
{
    tf_batch_record record = {0};
    _cleanup_bson_ bson_t conditions = BSON_INITIALIZER;
    uint32_t n = 0;
    tf_batch_record_parse(doc, &record);
    tf_range_append(&conditions, &n, &record.range.after, &record.range.upto);
    FUZZ_CHECK(!tf_doc_is_sound(doc) || tf_doc_is_sound(&conditions));
    tf_batch_record_done(&record);
}

/* The chain: an event that is sound alone is so only with the hash it names before it. */
static void read_event(const bson_t *doc)
{
    uint8_t hash[32], previous[32] = {0};
    bool first = tf_event_check(doc, NULL, hash), linked = tf_event_check(doc, previous, hash);
    FUZZ_CHECK(!(first && linked));
}

static void read_ledger(const bson_t *doc)
{
    bson_t owner, view;
    _cleanup_bson_ bson_t key = BSON_INITIALIZER, row = BSON_INITIALIZER;
    if (tf_ledger_owner(doc, &owner) && tf_doc_is_sound(&owner)) {
        tf_ledger_key("run", &owner, &key);
        BSON_APPEND_DOCUMENT(&row, "_id", &key);
        FUZZ_CHECK(tf_ledger_owner(&row, &view) && bson_equal(&view, &owner));
    }
}

static void print(const void *arg)
{
    const tf_history *history = arg;
    _cleanup_bson_ bson_t out = BSON_INITIALIZER;
    tf_history_append(history, &out);
    tf_json_print(stdout, &out);
    tf_history_print(history);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bson_t docs[DOCUMENTS], *pointers[DOCUMENTS];
    uint8_t *memory[DOCUMENTS];
    size_t count = 0;
    while (count < DOCUMENTS && fuzz_document(&data, &size, &docs[count], &memory[count])) {
        pointers[count] = &docs[count];
        count++;
    }
    tf_history history = {.batches = pointers, .batches_count = count, .events = pointers, .events_count = count};
    for (size_t i = 0; i < count; i++) {
        read_partition(&docs[i]);
        read_batch(&docs[i]);
        read_event(&docs[i]);
        read_ledger(&docs[i]);
    }
    if (count) {
        tf_terms_of_run(&docs[0], &history.terms);
        fuzz_print(print, &history);
    }
    for (size_t i = 0; i < count; i++)
        free(memory[i]);
    return count ? 0 : -1;
}
