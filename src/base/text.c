#include "base/text.h"

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

bool tf_text_begins(const char *text, const char *beginning)
{
    for (; *beginning; text++, beginning++)
        if (lower(*text) != lower(*beginning))
            return false;
    return true;
}

bool tf_text_same(const char *text, const char *other)
{
    return tf_text_begins(text, other) && text[strlen(other)] == '\0';
}

size_t tf_utf8_next(const char *text, size_t length, uint32_t *codepoint)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *s = (const unsigned char *)text;
    if (length == 0)
        return 0;
    size_t size = s[0] < 0x80             ? 1
                  : (s[0] & 0xe0) == 0xc0 ? 2
                  : (s[0] & 0xf0) == 0xe0 ? 3
                  : (s[0] & 0xf8) == 0xf0 ? 4
                                          : 0;
    if (size == 0 || size > length)
        return 0;
    uint32_t value = size == 1 ? s[0] : s[0] & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (s[i] & 0x3f);
    }
    if (value < smallest[size] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    if (codepoint)
        *codepoint = value;
    return size;
}

/* Characters that move the cursor or turn the direction of the text round, and so could forge a message. */
static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069);
}

const char *tf_text_clean(const char *text, char *out, size_t size)
{
    size_t length = strlen(text), used = 0,
           fits = 0; /* fits: where the text can be cut and still leave room for "..." */
    for (size_t i = 0; i < length;) {
        uint32_t c = 0;
        size_t step = tf_utf8_next(text + i, length - i, &c);
        bool kept = step && !is_control(c);
        size_t need = kept ? step : 1;
        if (used + 3 < size)
            fits = used;
        if (used + need >= size) {
            memcpy(out + fits, "...", 4);
            return out;
        }
        if (kept)
            memcpy(out + used, text + i, step);
        else
            out[used] = c == '\n' || c == '\t' || c == '\r' ? ' ' : '?';
        used += need;
        i += step ? step : 1;
    }
    out[used] = '\0';
    return out;
}

static size_t width_of(const char *text, size_t length)
{
    size_t width = 0;
    for (size_t i = 0; i < length; i++)
        width += ((unsigned char)text[i] & 0xc0) != 0x80;
    return width;
}

size_t tf_text_width(const char *text)
{
    return width_of(text, strlen(text));
}

void tf_text_wrap(FILE *out, const char *text, size_t column, size_t indent, size_t width)
{
    bool fresh = true, broken = false; /* nothing but indentation stands on this line; the last line end is ours */
    while (*text) {
        if (*text == '\n') {
            fprintf(out, "\n");
            column = 0;
            fresh = true;
            broken = false;
            text++;
            continue;
        }
        size_t blanks = strspn(text, " "), length = strcspn(text + blanks, " \n");
        size_t wide = width_of(text + blanks, length);
        if (!fresh && column + blanks + wide > width) {
            fprintf(out, "\n");
            column = 0;
            fresh = broken = true;
        }
        if (fresh && column < indent) {
            fprintf(out, "%*s", (int)(indent - column), "");
            column = indent;
        }
        if (!fresh || (column == 0 && !broken)) {
            fprintf(out, "%*s", (int)blanks, "");
            column += blanks;
        }
        fwrite(text + blanks, 1, length, out);
        column += wide;
        text += blanks + length;
        fresh = false;
    }
    fprintf(out, "\n");
}

FILE *tf_text_stream(char **text, size_t *size)
{
    FILE *stream = open_memstream(text, size);
    if (!stream)
        abort();
    return stream;
}
