/* A run's document as read back from the state database, the repair in it, and how both are shown. */
#include "fuzz/fuzz.h"

#include "backup/lineage.h"
#include "cmd/run_report.h"
#include "report/json.h"
#include "store/form.h"

#include <string.h>
#include <tokenfix/cleanup.h>

static void check_sound(const tf_run *run)
{
    FUZZ_CHECK(*run->id && strlen(run->id) < sizeof run->id && !strpbrk(run->id, "$./ \""));
    FUZZ_CHECK(run->stored >= 0 && run->stored < TF_STATES && run->state >= 0 && run->state < TF_STATES);
    FUZZ_CHECK(run->fence > 0 && run->fence <= TF_FORM_LARGEST);
    FUZZ_CHECK(strcmp(run->strategy, "transaction") == 0 || strcmp(run->strategy, "journal") == 0);
    FUZZ_CHECK(!run->down || *run->restores);
}

static void print(const void *arg)
{
    const tf_run *run = arg;
    _cleanup_bson_ bson_t out = BSON_INITIALIZER;
    static const tf_column columns[] = {
        {"name", "", TF_COLUMN_TEXT, 0}, {"value", "", TF_COLUMN_TEXT, TF_COLUMN_WRAP}, {NULL, NULL, TF_COLUMN_TEXT, 0}};
    _cleanup_(tf_table_freep) tf_table *sheet = tf_table_new(columns, TF_TABLE_NO_HEADER);
    tf_runs_report_append(run, 1, &out, "runs");
    tf_json_print(stdout, &out);
    tf_runs_report_print(run, 1);
    tf_run_report_sheet(run, sheet);
    tf_table_print(sheet, stdout);
    tf_json_print(stdout, run->doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bson_t doc;
    uint8_t *memory;
    tf_run run = {0};
    tf_error err = {0}, repair_err = {0};
    if (!fuzz_document(&data, &size, &doc, &memory))
        return -1;
    bool good = tf_run_parse(&doc, &run, &err);
    FUZZ_CHECK(good ? err.code == TF_ERR_OK : err.code == TF_ERR_DAMAGED && err.hint[0]);
    if (good) {
        check_sound(&run);
        _cleanup_(tf_repair_freep) tf_repair *repair = tf_lineage_repair(&run, &repair_err);
        FUZZ_CHECK(repair || repair_err.code == TF_ERR_DAMAGED || repair_err.code == TF_ERR_INVALID);
        fuzz_print(print, &run);
    }
    tf_run_done(&run);
    free(memory);
    return 0;
}
