#include "cmd/create_name.h"

#include <string.h>

#include "base/text.h"

/* In the letters of ASCII, whatever the locale says. */
static bool is_letter(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool tf_create_name(const char *text, char out[static TF_CREATE_NAME_MAX], tf_error *err)
{
    char name[TF_CREATE_NAME_MAX];
    size_t used = 0;
    for (const char *at = text; *at; at++) {
        char c = *at >= 'A' && *at <= 'Z' ? (char)(*at - 'A' + 'a') : *at;
        bool plain = is_letter(c) || is_digit(c);
        if (!plain && (used == 0 || name[used - 1] == '_'))
            continue;
        if (used + 1 == sizeof name) {
            tf_error_set(err, TF_ERR_USAGE, "the name '%s' is too long", TF_WORD(text));
            return tf_error_hint(err, "Give a name of at most %d characters.", TF_CREATE_NAME_MAX - 1);
        }
        name[used++] = plain ? c : '_';
    }
    while (used && name[used - 1] == '_')
        used--;
    name[used] = '\0';
    if (!is_letter(name[0])) {
        tf_error_set(err, TF_ERR_USAGE, "'%s' is not the name of a migration", TF_WORD(text));
        return tf_error_hint(err,
                             "Give a name that begins with a letter, like fix_negative_totals; the number is added.");
    }
    memcpy(out, name, used + 1);
    return true;
}

const char *tf_create_summary(const char *name, char out[static TF_CREATE_NAME_MAX])
{
    size_t i = 0;
    for (; name[i] && i + 1 < TF_CREATE_NAME_MAX; i++)
        out[i] = name[i] == '_' ? ' ' : name[i];
    out[i] = '\0';
    if (is_letter(out[0]))
        out[0] = (char)(out[0] - 'a' + 'A');
    return out;
}

bool tf_create_parse(const char *file, int *number, char *name)
{
    size_t digits = 0, length = strlen(file);
    int value = 0;
    for (; is_digit(file[digits]) && digits < 6; digits++)
        value = value * 10 + (file[digits] - '0');
    if (digits == 0 || file[digits] != '_' || length < digits + 4 || strcmp(file + length - 2, ".c") != 0)
        return false;
    size_t rest = length - digits - 3;
    if (rest > TF_CREATE_NAME_MAX - 1)
        rest = TF_CREATE_NAME_MAX - 1;
    memcpy(name, file + digits + 1, rest);
    name[rest] = '\0';
    *number = value;
    return true;
}
