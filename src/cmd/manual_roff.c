#include "base/text.h"
#include "cmd/manual.h"

/* One character. What roff would turn into a typographer's sign stays the one that can be copied into a shell. */
static size_t print_character(FILE *out, const char *text)
{
    static const struct {
        char c;
        const char *roff;
    } special[] = {{'\\', "\\e"},  {'-', "\\-"},   {'\'', "\\(aq"}, {'`', "\\(ga"},
                   {'^', "\\(ha"}, {'~', "\\(ti"}, {'"', "\\(dq"}};
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        if (*text == special[i].c) {
            fputs(special[i].roff, out);
            return 1;
        }
    }
    uint32_t codepoint = 0;
    size_t length = tf_utf8_next(text, strlen(text), &codepoint);
    if (codepoint >= 0x80)
        fprintf(out, "\\[u%04X]", codepoint);
    else
        fputc(*text, out);
    return length ? length : 1;
}

/* An option in running text, "--max-lag"; 0 where none begins. */
static size_t option_length(const char *text)
{
    size_t length =
        strncmp(text, "--", 2) == 0 ? 2 + strspn(text + 2, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-") : 0;
    return length > 2 ? length : 0;
}

void tf_roff_text(FILE *out, const char *text)
{
    for (bool line_begins = true; *text;) {
        size_t length = option_length(text);
        if (*text == '\n') {
            bool paragraph = text[1] == '\n';
            fputs(paragraph ? "\n.PP\n" : "\n.br\n", out);
            text += paragraph ? 2 : 1;
            line_begins = true;
            continue;
        }
        if (line_begins && *text == '.')
            fputs("\\&", out);
        line_begins = false;
        if (length)
            fputs("\\fB", out);
        for (const char *end = text + (length ? length : 1); text < end;)
            text += print_character(out, text);
        if (length)
            fputs("\\fR", out);
    }
    fputc('\n', out);
}

void tf_roff_word(FILE *out, const char *text)
{
    while (*text)
        text += print_character(out, text);
}

void tf_roff_synopsis(FILE *out, const char *synopsis)
{
    for (const char *at = synopsis; *at;) {
        size_t other = strcspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), word;
        fprintf(out, "%.*s", (int)other, at);
        at += other;
        word = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
        if (word)
            fprintf(out, "\\fI%.*s\\fR", (int)word, at);
        at += word;
    }
}
