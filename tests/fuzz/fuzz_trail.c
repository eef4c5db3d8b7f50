/* An exported trail, as anybody may hand it over: `history --verify --file` says whole or broken, and where. */
#include "fuzz/fuzz.h"

#include "cmd/trail_report.h"
#include "report/json.h"
#include "store/trail_file.h"
#include "store/trail_line.h"

#include <string.h>
#include <tokenfix/cleanup.h>

static void print(const void *arg)
{
    const tf_trail_report *report = arg;
    _cleanup_bson_ bson_t out = BSON_INITIALIZER;
    tf_trail_report_append(report, &out);
    tf_json_print(stdout, &out);
    tf_trail_report_print(report);
}

/* An event that can be written is read back as it is. */
static void read_lines(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data;
    for (size_t left = size; left > 0;) {
        const char *end = memchr(at, '\n', left);
        size_t length = end ? (size_t)(end - at) : left, again = 0;
        _cleanup_(bson_destroyp) bson_t *event = tf_trail_line_parse(at, length);
        char *line = event ? tf_trail_line(event, &again) : NULL;
        _cleanup_(bson_destroyp) bson_t *same = line ? tf_trail_line_parse(line, again - 1) : NULL;
        FUZZ_CHECK(!line || (same && bson_equal(same, event)));
        bson_free(line);
        left -= end ? length + 1 : length;
        at += end ? length + 1 : length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tf_error err = {0};
    tf_trail_file file;
    tf_head head = {.seq = 2};
    if (size == 0)
        return -1;
    read_lines(data, size);
    FILE *in = fmemopen((void *)(uintptr_t)data, size, "r");
    FUZZ_CHECK(in != NULL);
    FUZZ_CHECK(tf_trail_file_check(in, NULL, 0, NULL, &file, &err));
    FUZZ_CHECK((file.chain.broken == TF_BREAK_NONE) == (file.chain.text[0] == '\0'));
    FUZZ_CHECK(file.chain.broken != TF_BREAK_NONE || file.chain.count + 1 == file.line);
    tf_trail_report report = {.chain = &file.chain, .file = &file, .name = "trail.jsonl", .head = &head};
    fuzz_print(print, &report);
    rewind(in);
    FUZZ_CHECK(tf_trail_file_check(in, NULL, 0, &head, &file, &err));
    fclose(in);
    return 0;
}
