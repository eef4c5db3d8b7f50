#include "report/json.h"

#include <math.h>

#include "base/number.h"
#include "base/text.h"
#include "report/format.h"

enum { DEEPEST = 256 };

typedef struct {
    FILE *out;
    bool pretty;
    int depth;
} writer;

static void print_string(FILE *out, const char *text, size_t length)
{
    static const char plain[] = "\b\f\n\r\t\"\\", escaped[] = "bfnrt\"\\";
    fputc('"', out);
    for (size_t i = 0; i < length;) {
        uint32_t c = 0;
        size_t step = tf_utf8_next(text + i, length - i, &c);
        const char *known = step == 1 && c ? strchr(plain, (int)c) : NULL;
        if (!step)
            fputs("\\ufffd", out);
        else if (known)
            fprintf(out, "\\%c", escaped[known - plain]);
        else if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029)
            fprintf(out, "\\u%04x", (unsigned)c);
        else
            fwrite(text + i, 1, step, out);
        i += step ? step : 1;
    }
    fputc('"', out);
}

static void print_text(FILE *out, const char *text)
{
    print_string(out, text, strlen(text));
}

static void print_double(FILE *out, double value)
{
    char digits[32];
    if (isnan(value))
        fputs("\"NaN\"", out);
    else if (isinf(value))
        fputs(value > 0 ? "\"Infinity\"" : "\"-Infinity\"", out);
    else
        fputs(tf_number_shortest(value, digits, sizeof digits), out);
}

static void print_base64(FILE *out, const uint8_t *data, uint32_t length)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (uint32_t i = 0; i < length; i += 3) {
        uint32_t left = length - i;
        uint32_t bits =
            (uint32_t)data[i] << 16 | (left > 1 ? (uint32_t)data[i + 1] << 8 : 0) | (left > 2 ? data[i + 2] : 0);
        fputc(alphabet[bits >> 18], out);
        fputc(alphabet[bits >> 12 & 63], out);
        fputc(left > 1 ? alphabet[bits >> 6 & 63] : '=', out);
        fputc(left > 2 ? alphabet[bits & 63] : '=', out);
    }
}

static void print_iter(writer *w, bson_iter_t *iter, bool array);

static void print_nested(writer *w, const uint8_t *data, uint32_t length, bool array)
{
    bson_t doc;
    bson_iter_t iter;
    if (w->depth >= DEEPEST) {
        fputs("\"(nested too deeply)\"", w->out);
    } else if (!bson_init_static(&doc, data, length) || !bson_iter_init(&iter, &doc)) {
        fputs("\"(damaged)\"", w->out);
    } else {
        w->depth++;
        print_iter(w, &iter, array);
        w->depth--;
    }
}

static void print_oid(FILE *out, const bson_oid_t *oid)
{
    char hex[25];
    bson_oid_to_string(oid, hex);
    fprintf(out, "\"%s\"", hex);
}

static void print_binary(FILE *out, const bson_iter_t *value)
{
    bson_subtype_t subtype = BSON_SUBTYPE_BINARY;
    uint32_t length = 0;
    const uint8_t *data = NULL;
    bson_iter_binary(value, &subtype, &length, &data);
    fputs("{\"$binary\": {\"base64\": \"", out);
    print_base64(out, data, length);
    fprintf(out, "\", \"subType\": \"%02x\"}}", (unsigned)subtype & 0xff);
}

static void print_regex(FILE *out, const bson_iter_t *value)
{
    const char *options = NULL, *pattern = bson_iter_regex(value, &options);
    fputs("{\"$regularExpression\": {\"pattern\": ", out);
    print_text(out, pattern);
    fputs(", \"options\": ", out);
    print_text(out, options);
    fputs("}}", out);
}

static void print_code(writer *w, const bson_iter_t *value, bool scoped)
{
    uint32_t length = 0, scope_length = 0;
    const uint8_t *scope = NULL;
    const char *code =
        scoped ? bson_iter_codewscope(value, &length, &scope_length, &scope) : bson_iter_code(value, &length);
    fputs("{\"$code\": ", w->out);
    print_text(w->out, code);
    if (scoped) {
        writer inner = {.out = w->out, .depth = w->depth};
        fputs(", \"$scope\": ", w->out);
        print_nested(&inner, scope, scope_length, false);
    }
    fputc('}', w->out);
}

/* The types that no program of ours writes, but that a user's document may hold. */
static void print_rare(writer *w, const bson_iter_t *value)
{
    uint32_t length = 0, seconds = 0, increment = 0;
    const char *text = NULL;
    const bson_oid_t *oid = NULL;
    switch (bson_iter_type(value)) {
    case BSON_TYPE_TIMESTAMP:
        bson_iter_timestamp(value, &seconds, &increment);
        fprintf(w->out, "{\"$timestamp\": {\"t\": %u, \"i\": %u}}", (unsigned)seconds, (unsigned)increment);
        break;
    case BSON_TYPE_REGEX:
        print_regex(w->out, value);
        break;
    case BSON_TYPE_CODE:
    case BSON_TYPE_CODEWSCOPE:
        print_code(w, value, bson_iter_type(value) == BSON_TYPE_CODEWSCOPE);
        break;
    case BSON_TYPE_SYMBOL:
        text = bson_iter_symbol(value, &length);
        fputs("{\"$symbol\": ", w->out);
        print_string(w->out, text, strnlen(text, length));
        fputc('}', w->out);
        break;
    case BSON_TYPE_DBPOINTER:
        bson_iter_dbpointer(value, &length, &text, &oid);
        fputs("{\"$dbPointer\": {\"$ref\": ", w->out);
        print_text(w->out, text);
        fputs(", \"$id\": {\"$oid\": ", w->out);
        print_oid(w->out, oid);
        fputs("}}}", w->out);
        break;
    case BSON_TYPE_MINKEY:
        fputs("{\"$minKey\": 1}", w->out);
        break;
    case BSON_TYPE_MAXKEY:
        fputs("{\"$maxKey\": 1}", w->out);
        break;
    default:
        fputs("{\"$undefined\": true}", w->out);
        break;
    }
}

static void print_value(writer *w, const bson_iter_t *value)
{
    uint32_t length = 0;
    const uint8_t *data = NULL;
    const char *text = NULL;
    char buffer[BSON_DECIMAL128_STRING > 64 ? BSON_DECIMAL128_STRING : 64];
    bson_decimal128_t decimal;
    switch (bson_iter_type(value)) {
    case BSON_TYPE_DOUBLE:
        print_double(w->out, bson_iter_double(value));
        break;
    case BSON_TYPE_UTF8:
        text = bson_iter_utf8(value, &length);
        print_string(w->out, text, length);
        break;
    case BSON_TYPE_DOCUMENT:
        bson_iter_document(value, &length, &data);
        print_nested(w, data, length, false);
        break;
    case BSON_TYPE_ARRAY:
        bson_iter_array(value, &length, &data);
        print_nested(w, data, length, true);
        break;
    case BSON_TYPE_BINARY:
        print_binary(w->out, value);
        break;
    case BSON_TYPE_OID:
        print_oid(w->out, bson_iter_oid(value));
        break;
    case BSON_TYPE_BOOL:
        fputs(bson_iter_bool(value) ? "true" : "false", w->out);
        break;
    case BSON_TYPE_DATE_TIME:
        fprintf(w->out, "\"%s\"", tf_format_time(bson_iter_date_time(value), buffer));
        break;
    case BSON_TYPE_NULL:
        fputs("null", w->out);
        break;
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
        fprintf(w->out, "%" PRId64, bson_iter_as_int64(value));
        break;
    case BSON_TYPE_DECIMAL128:
        bson_iter_decimal128(value, &decimal);
        bson_decimal128_to_string(&decimal, buffer);
        fprintf(w->out, "\"%s\"", buffer);
        break;
    default:
        print_rare(w, value);
        break;
    }
}

static void break_line(const writer *w, int depth)
{
    if (w->pretty)
        fprintf(w->out, "\n%*s", depth * 2, "");
}

static void print_iter(writer *w, bson_iter_t *iter, bool array)
{
    bool empty = true;
    fputc(array ? '[' : '{', w->out);
    while (bson_iter_next(iter)) {
        if (!empty)
            fputs(w->pretty ? "," : ", ", w->out);
        empty = false;
        break_line(w, w->depth);
        if (!array) {
            print_text(w->out, bson_iter_key(iter));
            fputs(": ", w->out);
        }
        print_value(w, iter);
    }
    if (!empty)
        break_line(w, w->depth - 1);
    fputc(array ? ']' : '}', w->out);
}

void tf_json_print(FILE *out, const bson_t *doc)
{
    writer w = {.out = out, .pretty = true};
    print_nested(&w, bson_get_data(doc), doc->len, false);
    fputc('\n', out);
}

void tf_json_print_members(FILE *out, const bson_t *doc, int depth)
{
    writer w = {.out = out, .pretty = true, .depth = depth};
    bson_iter_t iter;
    bool more = bson_iter_init(&iter, doc);
    for (bool first = true; more && bson_iter_next(&iter); first = false) {
        if (!first) {
            fputc(',', out);
            break_line(&w, depth);
        }
        print_text(out, bson_iter_key(&iter));
        fputs(": ", out);
        print_value(&w, &iter);
    }
}

void tf_json_print_line(FILE *out, const bson_t *doc)
{
    writer w = {.out = out};
    print_nested(&w, bson_get_data(doc), doc->len, false);
}

void tf_json_print_value(FILE *out, const bson_iter_t *value)
{
    writer w = {.out = out, .depth = 1};
    print_value(&w, value);
}
