#include "base/option.h"

#include <tokenfix/bson.h>
#include <inttypes.h>

#include "base/nearest.h"
#include "base/number.h"
#include "base/text.h"

struct tf_option_state {
    tf_source source;
    const char *given; /* the text of the value */
    char *owned;       /* the copy of a secret */
};

enum { SUBJECT = 128 };

static size_t count_rows(const tf_option *table)
{
    size_t count = 0;
    while (table && table[count].name)
        count++;
    return count;
}

static void *field(const tf_options *options, const tf_option *row)
{
    return (char *)options->args + row->offset;
}

void tf_options_init(tf_options *options, const tf_option *table, void *args)
{
    *options = (tf_options){.table = table, .args = args};
    options->states = bson_malloc0((count_rows(table) + 1) * sizeof *options->states);
}

/* "" is what borrowers of the value read from now on: the memory stays theirs. */
static void wipe(struct tf_option_state *state)
{
    if (state->owned)
        explicit_bzero(state->owned, strlen(state->owned));
}

void tf_options_forget(const tf_options *options)
{
    for (size_t i = 0; i < count_rows(options->table); i++)
        wipe(&options->states[i]);
}

void tf_options_done(tf_options *options)
{
    for (size_t i = 0; options->states && i < count_rows(options->table); i++) {
        const tf_option *row = &options->table[i];
        if (row->kind == TF_OPT_LIST)
            bson_free(((tf_strings *)field(options, row))->items);
        wipe(&options->states[i]);
        bson_free(options->states[i].owned);
    }
    bson_free(options->states);
    *options = (tf_options){0};
}

static const tf_option *find(const tf_options *options, const char *name, size_t length, char letter)
{
    for (const tf_option *row = options->table; row && row->name; row++)
        if (name ? strlen(row->name) == length && memcmp(row->name, name, length) == 0 : row->letter == letter)
            return row;
    return NULL;
}

tf_source tf_options_source(const tf_options *options, const char *name)
{
    const tf_option *row = find(options, name, strlen(name), 0);
    return row ? options->states[row - options->table].source : TF_SOURCE_NONE;
}

const char *tf_options_value(const tf_options *options, const tf_option *row, size_t i)
{
    const tf_strings *list = field(options, row);
    if (row->kind == TF_OPT_LIST)
        return i < list->count ? list->items[i] : NULL;
    return i == 0 ? options->states[row - options->table].given : NULL;
}

static void subject(const tf_option *row, tf_source source, char *out)
{
    if (source == TF_SOURCE_ENVIRONMENT)
        snprintf(out, SUBJECT, "environment variable %s", row->env);
    else if (source == TF_SOURCE_CONFIG)
        snprintf(out, SUBJECT, "configuration key '%s'", row->name);
    else
        snprintf(out, SUBJECT, "option '--%s'", row->name);
}

static bool bad_number(const char *who, const char *value, const char *what, const char *range, tf_error *err)
{
    tf_error_set(err, TF_ERR_USAGE, "%s: '%s' is not %s", who, TF_WORD(value), what);
    return tf_error_hint(err, "Give %s.", range);
}

static bool set_integer(const tf_option *row, const char *value, const char *who, int64_t *out, tf_error *err)
{
    bool size = row->kind == TF_OPT_SIZE;
    int64_t number = 0;
    tf_number_result result = size ? tf_number_size(value, &number) : tf_number_int64(value, &number);
    if (result == TF_NUMBER_OK && number >= row->min && number <= row->max) {
        *out = number;
        return true;
    }
    char range[128];
    if (row->max == INT64_MAX)
        snprintf(range, sizeof range, "%s, %" PRId64 " or more", size ? "a size like 64M" : "a whole number", row->min);
    else
        snprintf(range, sizeof range, "%s from %" PRId64 " to %" PRId64,
                 size ? "a size like 64M, in bytes" : "a whole number", row->min, row->max);
    if (result == TF_NUMBER_MALFORMED)
        return bad_number(who, value, size ? "a size" : "a whole number", range, err);
    return bad_number(who, value, "in the range allowed", range, err);
}

static const char *duration_text(int64_t ms, char *out, size_t size)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
    size_t unit = 0;
    while (ms % units[unit].ms)
        unit++;
    snprintf(out, size, "%" PRId64 "%s", ms / units[unit].ms, ms ? units[unit].name : "");
    return out;
}

static bool set_duration(const tf_option *row, const char *value, const char *who, int64_t *out, tf_error *err)
{
    int64_t ms = 0;
    tf_number_result result = tf_number_duration(value, &ms);
    if (result == TF_NUMBER_OK && ms >= row->min && ms <= row->max) {
        *out = ms;
        return true;
    }
    char range[128], low[32], high[32];
    snprintf(range, sizeof range, "a duration like 90s, 5m, 4h or 1d, from %s to %s",
             duration_text(row->min, low, sizeof low), duration_text(row->max, high, sizeof high));
    return bad_number(who, value, result == TF_NUMBER_MALFORMED ? "a duration" : "in the range allowed", range, err);
}

static bool set_double(const tf_option *row, const char *value, const char *who, double *out, tf_error *err)
{
    double number = 0;
    tf_number_result result = tf_number_double(value, &number);
    if (result == TF_NUMBER_OK && number >= row->real_min && number <= row->real_max) {
        *out = number;
        return true;
    }
    char range[128], low[32], high[32];
    snprintf(range, sizeof range, "a number from %s to %s", tf_number_shortest(row->real_min, low, sizeof low),
             tf_number_shortest(row->real_max, high, sizeof high));
    return bad_number(who, value, result == TF_NUMBER_MALFORMED ? "a number" : "in the range allowed", range, err);
}

static bool set_choice(const tf_option *row, const char *value, const char *who, const char **out, tf_error *err)
{
    char words[256];
    for (const char *const *choice = row->choices; *choice; choice++) {
        if (strcmp(*choice, value) == 0) {
            *out = *choice;
            return true;
        }
    }
    tf_error_set(err, TF_ERR_USAGE, "%s: '%s' is not one of %s", who, TF_WORD(value),
                 tf_option_metavar(row, words, sizeof words));
    const char *nearest = tf_nearest(value, row->choices);
    return nearest ? tf_error_hint(err, "Did you mean '%s'?", nearest) : tf_error_hint(err, "Give one of %s.", words);
}

static bool set_flag(const char *value, const char *who, bool *out, tf_error *err)
{
    static const char *const words[][2] = {{"1", "0"}, {"true", "false"}, {"yes", "no"}, {"on", "off"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (tf_text_same(value, words[i][0]) || tf_text_same(value, words[i][1])) {
            *out = tf_text_same(value, words[i][0]);
            return true;
        }
    }
    return bad_number(who, value, "yes or no", "1, true, yes or on; or 0, false, no or off", err);
}

static void append(tf_strings *list, const char *value)
{
    list->items = bson_realloc(list->items, (list->count + 2) * sizeof *list->items);
    list->items[list->count++] = value;
    list->items[list->count] = NULL;
}

static bool convert(const tf_option *row, const char *value, tf_source source, void *into, tf_error *err)
{
    char who[SUBJECT];
    subject(row, source, who);
    switch (row->kind) {
    case TF_OPT_FLAG:
        return set_flag(value, who, into, err);
    case TF_OPT_INT:
    case TF_OPT_SIZE:
        return set_integer(row, value, who, into, err);
    case TF_OPT_DOUBLE:
        return set_double(row, value, who, into, err);
    case TF_OPT_DURATION:
        return set_duration(row, value, who, into, err);
    case TF_OPT_CHOICE:
        return set_choice(row, value, who, into, err);
    case TF_OPT_STRING:
        *(const char **)into = value;
        return true;
    case TF_OPT_LIST:
        append(into, value);
        return true;
    }
    return tf_error_set(err, TF_ERR_INTERNAL, "%s is of no known kind", who);
}

static bool assign(tf_options *options, const tf_option *row, const char *value, tf_source source, tf_error *err)
{
    struct tf_option_state *state = &options->states[row - options->table];
    if (state->source > source)
        return true;
    if (source == TF_SOURCE_FLAG && state->source == source && row->kind != TF_OPT_LIST &&
        strcmp(state->given, value) != 0) {
        tf_error_set(err, TF_ERR_USAGE, "option '--%s' is given twice, with different values", row->name);
        return tf_error_hint(err, "Give it once.");
    }
    if (row->secret && source > TF_SOURCE_DEFAULT) {
        wipe(state);
        bson_free(state->owned);
        value = state->owned = bson_strdup(value);
    }
    if (!convert(row, value, source, field(options, row), err))
        return false;
    state->source = source;
    state->given = value;
    return true;
}

bool tf_options_set(tf_options *options, const char *name, const char *value, tf_source source, tf_error *err)
{
    const tf_option *row = find(options, name, strlen(name), 0);
    if (!row)
        return tf_error_set(err, TF_ERR_NOT_FOUND, "unknown option '%s'", TF_WORD(name));
    return assign(options, row, value, source, err);
}

void tf_options_keep(const tf_options *options, const char *name, const char *value)
{
    tf_options same = *options; /* what it points to is the same */
    tf_error ignored = {0};
    tf_options_set(&same, name, value, TF_SOURCE_ENVIRONMENT, &ignored);
}

bool tf_options_have(const tf_options *options, const char *name)
{
    return find(options, name, strlen(name), 0) != NULL;
}

static size_t field_size(const tf_option *row)
{
    switch (row->kind) {
    case TF_OPT_FLAG:
        return sizeof(bool);
    case TF_OPT_INT:
    case TF_OPT_SIZE:
    case TF_OPT_DURATION:
        return sizeof(int64_t);
    case TF_OPT_DOUBLE:
        return sizeof(double);
    case TF_OPT_STRING:
    case TF_OPT_CHOICE:
        return sizeof(const char *);
    case TF_OPT_LIST:
        break;
    }
    return 0;
}

void tf_options_repeat(const tf_options *from, tf_options *to)
{
    for (size_t i = 0; i < count_rows(from->table); i++) {
        const tf_option *row = &from->table[i];
        const struct tf_option_state *state = &from->states[i];
        if (state->source < TF_SOURCE_ENVIRONMENT)
            continue;
        to->states[i].source = state->source;
        to->states[i].given = state->given;
        memcpy(field(to, row), field(from, row), field_size(row));
        const tf_strings *list = field(from, row);
        for (size_t n = 0; row->kind == TF_OPT_LIST && n < list->count; n++)
            append(field(to, row), list->items[n]);
    }
}

bool tf_options_fill(tf_options *options, tf_error *err)
{
    for (const tf_option *row = options->table; row && row->name; row++) {
        tf_source known = options->states[row - options->table].source;
        char *value = row->env ? getenv(row->env) : NULL;
        if (value && *value && known < TF_SOURCE_ENVIRONMENT) {
            if (!assign(options, row, value, TF_SOURCE_ENVIRONMENT, err))
                return false;
            if (row->secret) { /* what we start must not inherit it */
                explicit_bzero(value, strlen(value));
                unsetenv(row->env);
            }
        } else if (row->fallback && known < TF_SOURCE_DEFAULT &&
                   !assign(options, row, row->fallback, TF_SOURCE_DEFAULT, err)) {
            return false;
        }
    }
    return true;
}

/* ---- the command line ---- */

typedef struct {
    tf_options *const *scopes;
    int argc;
    char **argv;
    int next;
    tf_error *err;
} reader;

static bool unknown(const reader *r, const char *name, size_t length)
{
    const char *names[256];
    size_t count = 0;
    for (tf_options *const *scope = r->scopes; *scope; scope++)
        for (const tf_option *row = (*scope)->table; row && row->name && count < 255; row++)
            names[count++] = row->name;
    names[count] = NULL;

    char word[80];
    snprintf(word, sizeof word, "%.*s", (int)(length < 79 ? length : 79), name);
    tf_error_set(r->err, TF_ERR_NOT_FOUND, "unknown option '--%s'", TF_WORD(word));
    const char *nearest = tf_nearest(word, names);
    return nearest ? tf_error_hint(r->err, "Did you mean '--%s'?", nearest)
                   : tf_error_hint(r->err, "'--help' lists the options.");
}

static const tf_option *look_up(const reader *r, const char *name, size_t length, char letter, tf_options **owner)
{
    for (tf_options *const *scope = r->scopes; *scope; scope++) {
        const tf_option *row = find(*scope, name, length, letter);
        if (row) {
            *owner = *scope;
            return row;
        }
    }
    return NULL;
}

/* The value is `attached`, or else the next argument. A secret is wiped from the memory that `ps` shows. */
static bool take_value(reader *r, tf_options *owner, const tf_option *row, char *attached)
{
    char *value = attached;
    if (!value) {
        if (r->next >= r->argc || strncmp(r->argv[r->next], "--", 2) == 0) {
            char words[256];
            tf_error_set(r->err, TF_ERR_USAGE, "option '--%s' needs a value", row->name);
            return tf_error_hint(r->err, "Write '--%s=%s'.", row->name, tf_option_metavar(row, words, sizeof words));
        }
        value = r->argv[r->next++];
    }
    bool done = assign(owner, row, value, TF_SOURCE_FLAG, r->err);
    if (row->secret)
        memset(value, 'x', strlen(value));
    return done;
}

/* Of an option whose value may be left out: what is attached; of a choice also the next argument, if it is one of its
 * words; else what the bare option means. */
static const char *optional_value(reader *r, const tf_option *row, const char *attached)
{
    if (attached || row->kind != TF_OPT_CHOICE)
        return attached ? attached : "";
    for (const char *const *choice = row->choices; *choice && r->next < r->argc; choice++)
        if (strcmp(*choice, r->argv[r->next]) == 0)
            return r->argv[r->next++];
    return row->choices[0];
}

static bool read_long(reader *r, char *text)
{
    size_t length = strcspn(text, "=");
    tf_options *owner = NULL;
    const tf_option *row = length ? look_up(r, text, length, 0, &owner) : NULL;
    char *attached = text[length] ? text + length + 1 : NULL;
    if (!row)
        return unknown(r, text, length);
    if (row->no_flag) {
        tf_error_set(r->err, TF_ERR_USAGE, "option '--%s' would show the secret to everybody on this host", row->name);
        return tf_error_hint(r->err, "Set %s, or write it into the configuration file.", row->env);
    }
    if (row->optional) {
        if (attached && !*attached) {
            tf_error_set(r->err, TF_ERR_USAGE, "option '--%s' has an empty value", row->name);
            return tf_error_hint(r->err, "Write '--%s' or '--%s=VALUE'.", row->name, row->name);
        }
        return assign(owner, row, optional_value(r, row, attached), TF_SOURCE_FLAG, r->err);
    }
    if (row->kind != TF_OPT_FLAG)
        return take_value(r, owner, row, attached);
    if (attached) {
        tf_error_set(r->err, TF_ERR_USAGE, "option '--%s' takes no value", row->name);
        return tf_error_hint(r->err, "Write '--%s', or leave it out.", row->name);
    }
    return assign(owner, row, "yes", TF_SOURCE_FLAG, r->err);
}

static bool read_short(reader *r, char *text)
{
    for (; *text; text++) {
        tf_options *owner = NULL;
        const tf_option *row = look_up(r, NULL, 0, *text, &owner);
        if (!row) {
            tf_error_set(r->err, TF_ERR_NOT_FOUND, "unknown option '-%s'",
                         tf_text_clean((char[]){*text, 0}, (char[8]){0}, 8));
            return tf_error_hint(r->err, "Long options begin with two dashes; '--help' lists them.");
        }
        if (row->kind != TF_OPT_FLAG && !row->optional)
            return take_value(r, owner, row, text[1] ? text + 1 : NULL);
        if (!assign(owner, row, row->optional ? optional_value(r, row, NULL) : "yes", TF_SOURCE_FLAG, r->err))
            return false;
    }
    return true;
}

bool tf_options_parse(tf_options *const *scopes, int argc, char **argv, bool stop_at_word, int *next, char **words,
                      int *words_count, tf_error *err)
{
    reader r = {.scopes = scopes, .argc = argc, .argv = argv, .next = *next, .err = err};
    bool only_words = false, good = true;
    while (good && r.next < argc) {
        char *text = argv[r.next++];
        if (!only_words && strcmp(text, "--") == 0) {
            only_words = true;
        } else if (!only_words && strncmp(text, "--", 2) == 0) {
            good = read_long(&r, text + 2);
        } else if (!only_words && text[0] == '-' && text[1]) {
            good = read_short(&r, text + 1);
        } else {
            words[(*words_count)++] = text;
            if (stop_at_word)
                break;
        }
    }
    *next = r.next;
    return good;
}

/* ---- soundness and naming ---- */

const char *tf_option_metavar(const tf_option *row, char *buffer, size_t size)
{
    static const char *const by_kind[] = {[TF_OPT_STRING] = "TEXT",
                                          [TF_OPT_INT] = "N",
                                          [TF_OPT_DOUBLE] = "NUMBER",
                                          [TF_OPT_SIZE] = "SIZE",
                                          [TF_OPT_DURATION] = "TIME",
                                          [TF_OPT_LIST] = "TEXT"};
    if (row->kind == TF_OPT_FLAG)
        return NULL;
    if (row->kind != TF_OPT_CHOICE || row->metavar) {
        snprintf(buffer, size, "%s", row->metavar ? row->metavar : by_kind[row->kind]);
        return buffer;
    }
    size_t used = 0;
    buffer[0] = '\0';
    for (const char *const *choice = row->choices; *choice && used < size; choice++)
        used += (size_t)snprintf(buffer + used, size - used, "%s%s", used ? "|" : "", *choice);
    return buffer;
}

static bool clashes(const tf_option *row, const tf_option *table)
{
    for (const tf_option *other = table; other && other->name; other++)
        if (other != row && (strcmp(other->name, row->name) == 0 || (row->letter && other->letter == row->letter)))
            return true;
    return false;
}

static bool check_fallback(const tf_option *row, tf_error *err)
{
    union {
        bool flag;
        const char *string;
        int64_t integer;
        double real;
        tf_strings list;
    } value = {0};
    bool good = !row->fallback || convert(row, row->fallback, TF_SOURCE_DEFAULT, &value, err);
    if (row->kind == TF_OPT_LIST)
        bson_free(value.list.items);
    return good;
}

bool tf_option_check(const tf_option *table, const tf_option *other, tf_error *err)
{
    for (const tf_option *row = table; row && row->name; row++) {
        if (!row->help || !*row->help)
            return tf_error_set(err, TF_ERR_INTERNAL, "option '--%s' has no help text", row->name);
        if (clashes(row, table) || clashes(row, other))
            return tf_error_set(err, TF_ERR_INTERNAL, "option '--%s' is there twice, or its letter is", row->name);
        if (row->kind == TF_OPT_CHOICE && (!row->choices || !row->choices[0]))
            return tf_error_set(err, TF_ERR_INTERNAL, "option '--%s' has no choices", row->name);
        if (row->optional && row->kind != TF_OPT_STRING && row->kind != TF_OPT_CHOICE)
            return tf_error_set(err, TF_ERR_INTERNAL,
                                "option '--%s': only a string's or a choice's value can be optional", row->name);
        if (row->kind != TF_OPT_DOUBLE ? row->min > row->max : row->real_min > row->real_max)
            return tf_error_set(err, TF_ERR_INTERNAL, "option '--%s' has an empty range", row->name);
        if (!check_fallback(row, err))
            return false;
    }
    return true;
}
