#include "cmd/completion.h"

static tf_offer offer_of(const char *word, size_t length)
{
    static const struct {
        const char *word;
        tf_offer offer;
    } known[] = {{"FILE", TF_OFFER_FILE},           {"PATH", TF_OFFER_FILE},     {"DIR", TF_OFFER_FOLDER},
                 {"MIGRATION", TF_OFFER_MIGRATION}, {"RUN", TF_OFFER_MIGRATION}, {"COMMAND", TF_OFFER_COMMAND}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i].word) == length && memcmp(known[i].word, word, length) == 0)
            return known[i].offer;
    return TF_OFFER_NOTHING;
}

tf_offer tf_offer_of_option(const tf_option *row)
{
    if (row->choices)
        return TF_OFFER_CHOICE;
    return row->metavar ? offer_of(row->metavar, strlen(row->metavar)) : TF_OFFER_NOTHING;
}

bool tf_offer_of_word(const char **at, tf_offer *offer)
{
    const char *word = *at + strspn(*at, " [].");
    size_t length = strcspn(word, " [].");
    *at = word + length;
    if (length == 0)
        return false;
    *offer = offer_of(word, length);
    return true;
}

bool tf_completion_takes_next(const tf_option *row)
{
    return row->kind != TF_OPT_FLAG && (!row->optional || row->kind == TF_OPT_CHOICE);
}

/* The point of "e.g." ends nothing. */
static size_t clause_length(const char *text)
{
    for (size_t i = 0; text[i]; i++)
        if (strchr(".;:", text[i]) && (text[i + 1] == ' ' || text[i + 1] == '\0') && (i < 2 || text[i - 2] != '.'))
            return i;
    return strlen(text);
}

void tf_completion_clause(FILE *out, const char *text, const char *escaped, const char *quote)
{
    for (size_t i = 0, length = clause_length(text); i < length; i++) {
        if (text[i] == '\'') {
            fputs(quote, out);
            continue;
        }
        if (strchr(escaped, text[i]))
            fputc('\\', out);
        fputc(text[i], out);
    }
}

static void walk(FILE *out, const tf_command *const *commands, const char *group, tf_completion_visit visit)
{
    for (; *commands; commands++) {
        char path[128];
        snprintf(path, sizeof path, "%s%s%s", group, *group ? " " : "", (*commands)->name);
        visit(out, *commands, path);
        if ((*commands)->subcommands)
            walk(out, (*commands)->subcommands, path, visit);
    }
}

void tf_completion_walk(FILE *out, const tf_command *const *commands, tf_completion_visit visit)
{
    walk(out, commands, "", visit);
}

const char *tf_completion_frame(FILE *out, const char *frame)
{
    static const char mark[] = "@tables@\n";
    const char *at = strstr(frame, mark);
    fwrite(frame, 1, (size_t)(at - frame), out);
    return at + strlen(mark);
}
