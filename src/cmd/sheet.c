#include "cmd/sheet.h"

#include <stdarg.h>

#include "base/redact.h"
#include "base/text.h"
#include "report/json.h"

enum { MESSAGE = 2048 };

static const tf_column columns[] = {
    {"label", "", TF_COLUMN_TEXT, 0}, {"text", "", TF_COLUMN_TEXT, TF_COLUMN_WRAP}, {NULL, NULL, TF_COLUMN_TEXT, 0}};

tf_table *tf_sheet_new(void)
{
    return tf_table_new(columns, TF_TABLE_NO_HEADER);
}

void tf_sheet_add(tf_table *sheet, const char *label, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    tf_table_add(sheet, TF_CELL_TEXT(label), TF_CELL_TEXT(text));
}

void tf_sheet_print(const tf_table *sheet)
{
    tf_table_print(sheet, stdout);
}

const char *tf_value_text(const bson_value_t *value, char *out, size_t size)
{
    out[0] = '\0';
    if (value->value_type == BSON_TYPE_EOD)
        return out;
    if (value->value_type == BSON_TYPE_UTF8) {
        snprintf(out, size, "%.*s", (int)value->value.v_utf8.len, value->value.v_utf8.str);
        return out;
    }
    _cleanup_bson_ bson_t holder = BSON_INITIALIZER;
    bson_iter_t iter;
    char *text = NULL;
    size_t length = 0;
    FILE *stream = tf_text_stream(&text, &length);
    if (!stream)
        return out;
    bson_append_value(&holder, "v", 1, value);
    if (bson_iter_init_find(&iter, &holder, "v"))
        tf_json_print_value(stream, &iter);
    fclose(stream);
    bool quoted = length >= 2 && text[0] == '"' && text[length - 1] == '"'; /* ObjectIds, dates */
    snprintf(out, size, "%.*s", text ? (int)(length - 2 * quoted) : 0, text ? text + quoted : "");
    free(text);
    return out;
}

void tf_append_text(bson_t *to, const char *key, const char *text)
{
    if (text && *text)
        BSON_APPEND_UTF8(to, key, text);
    else
        BSON_APPEND_NULL(to, key);
}

void tf_append_message(bson_t *to, const char *key, const char *text)
{
    char redacted[MESSAGE];
    tf_append_text(to, key, text ? tf_redact_text(text, redacted, sizeof redacted) : NULL);
}

void tf_append_time(bson_t *to, const char *key, int64_t ms)
{
    if (ms)
        BSON_APPEND_DATE_TIME(to, key, ms);
    else
        BSON_APPEND_NULL(to, key);
}

void tf_append_array(bson_t *to, const char *key, const bson_t *array)
{
    bson_t empty = BSON_INITIALIZER;
    BSON_APPEND_ARRAY(to, key, array ? array : &empty);
    bson_destroy(&empty);
}
