#include "base/config.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <sys/stat.h>
#include <tokenfix/bson.h>
#include <tokenfix/cleanup.h>
#include <unistd.h>

#include "base/nearest.h"
#include "base/redact.h"
#include "base/text.h"

enum { FILE_MAX = 65536, LINE_MAX_BYTES = 8192, NAMES_MAX = 511, PATH_SIZE = 4096, PROFILE_MAX = 64 };

/* ---- finding and reading the file ---- */

static bool at(const char *path, int line, tf_error *err)
{
    char shown[200];
    tf_text_clean(path, shown, sizeof shown);
    return line ? tf_error_detail(err, "%s, line %d", shown, line) : tf_error_detail(err, "%s", shown);
}

bool tf_config_place(size_t n, char *out, size_t size)
{
    const char *home = getenv("HOME"), *config = getenv("XDG_CONFIG_HOME");
    bool own = config && config[0] == '/';
    if (n == 0 && own)
        snprintf(out, size, "%s/tokenfix/tokenfix.conf", config);
    else if (n == 0 && home && home[0] == '/')
        snprintf(out, size, "%s/.config/tokenfix/tokenfix.conf", home);
    else if (n == 1)
        snprintf(out, size, "/etc/tokenfix/tokenfix.conf");
    else
        out[0] = '\0';
    return n < 2;
}

static int open_file(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
}

static bool unreadable(const char *path, int reason, tf_error *err)
{
    tf_error_set(err, TF_ERR_USAGE, "the configuration file '%s' cannot be read", TF_WORD(path));
    tf_error_detail(err, "%s", strerror(reason));
    return tf_error_hint(err, "Check the name, and that you may read it; '--config /dev/null' does without.");
}

/* -1: failed; 0: none is there; 1: opened */
static int find(const char *given, char *path, int *fd, tf_error *err)
{
    if (given) {
        snprintf(path, PATH_SIZE, "%s", given);
        *fd = open_file(path);
        return *fd == -1 ? unreadable(path, errno, err) - 1 : 1;
    }
    for (size_t n = 0; tf_config_place(n, path, PATH_SIZE); n++) {
        if (!*path)
            continue;
        *fd = open_file(path);
        if (*fd != -1)
            return 1;
        if (errno != ENOENT && errno != ENOTDIR)
            return unreadable(path, errno, err) - 1;
    }
    return 0;
}

static bool check_file(int fd, tf_config *config, tf_error *err)
{
    struct stat about;
    if (fstat(fd, &about) != 0 || S_ISDIR(about.st_mode) || S_ISBLK(about.st_mode))
        return unreadable(config->path, EISDIR, err);
    config->mode = S_ISCHR(about.st_mode) ? 0 : about.st_mode & (mode_t)07777;
    config->owner = about.st_uid;
    if (about.st_uid != geteuid() && about.st_uid != 0) {
        tf_error_set(err, TF_ERR_USAGE, "the configuration file '%s' belongs to another user", TF_WORD(config->path));
        return tf_error_hint(err, "Use one of your own or of root's: who owns it decides what is run and connected to.");
    }
    if (config->mode & (S_IWGRP | S_IWOTH)) {
        tf_error_set(err, TF_ERR_USAGE, "others may write the configuration file '%s'", TF_WORD(config->path));
        return tf_error_hint(err, "Run: chmod go-w '%s'.", TF_WORD(config->path));
    }
    return true;
}

static bool read_all(int fd, const char *path, char *text, tf_error *err)
{
    size_t used = 0;
    ssize_t got = 0;
    while (used < FILE_MAX && (got = read(fd, text + used, FILE_MAX - used)) > 0)
        used += (size_t)got;
    if (got < 0)
        return unreadable(path, errno, err);
    if (used == FILE_MAX)
        return tf_error_set(err, TF_ERR_USAGE, "the configuration file '%s' is larger than 64 KiB", TF_WORD(path));
    text[used] = '\0';
    if (memchr(text, '\0', used) || !bson_utf8_validate(text, used, false))
        return tf_error_set(err, TF_ERR_USAGE, "the configuration file '%s' is not text in UTF-8", TF_WORD(path));
    return true;
}

/* ---- its lines ---- */

typedef struct source {
    tf_config *config;
    char *rest; /* what is not yet read */
    int line;
    int profile; /* of the lines that are read now */
    tf_error *err;
} source;

/* "[prod]": from here on keys belong to that profile. */
static bool open_profile(source *from, const char *line)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    tf_config *config = from->config;
    size_t length = strspn(line + 1, letters), rest = line[1 + length] == ']' ? 2 + length + strspn(line + 2 + length, " \t\r") : 0;
    if (length == 0 || length > PROFILE_MAX || !rest || line[rest]) {
        tf_error_set(from->err, TF_ERR_USAGE, "'%s' is not the beginning of a profile in the configuration", TF_WORD(line));
        return tf_error_hint(from->err, "Write '[NAME]' alone on its line: letters, digits and . _ -, at most 64.");
    }
    for (size_t i = 0; i < config->profiles_count; i++)
        if (strlen(config->profiles[i].name) == length && memcmp(config->profiles[i].name, line + 1, length) == 0) {
            tf_error_set(from->err, TF_ERR_USAGE, "the profile '%s' is there twice in the configuration", config->profiles[i].name);
            return tf_error_hint(from->err, "Line %d has it too: write its keys there.", config->profiles[i].line);
        }
    config->profiles = bson_realloc(config->profiles, (config->profiles_count + 1) * sizeof *config->profiles);
    from->profile = (int)config->profiles_count;
    config->profiles[config->profiles_count++] = (tf_config_profile){.name = bson_strndup(line + 1, length), .line = from->line};
    return true;
}

/* libinih would cut a line that is too long, take an indented one for more of the value before it, and a value's end
 * behind a blank and ; for a comment: all of it without a word. */
static bool check_line(source *from, const char *line, size_t length, size_t room)
{
    bool comment = *line == ';' || *line == '#';
    if (length + 2 > room)
        tf_error_set(from->err, TF_ERR_USAGE, "a line of the configuration is longer than %zu characters", room - 2);
    else if (!comment && (strstr(line, " ;") || strstr(line, "\t;"))) {
        tf_error_set(from->err, TF_ERR_USAGE, "in a line of the configuration a blank stands before a ';'");
        tf_error_hint(from->err, "A comment has a line of its own; in a value write ';' without a blank before it.");
    } else if (*line != '[' || open_profile(from, line))
        return true;
    return at(from->config->path, from->line, from->err);
}

static char *next_line(char *buffer, int size, void *arg)
{
    source *from = arg;
    char *line = from->rest ? strsep(&from->rest, "\n") : NULL;
    explicit_bzero(buffer, (size_t)size); /* the line before may have been a secret */
    if (!line || from->err->code != TF_ERR_OK)
        return NULL;
    from->line++;
    line += strspn(line, " \t\r");
    if (!check_line(from, line, strlen(line), (size_t)size))
        return NULL;
    snprintf(buffer, (size_t)size, "%s\n", line);
    return buffer;
}

/* The first of that name in a profile (-1: above all of them). */
static const tf_config_entry *entry_of(const tf_config *config, const char *name, int profile)
{
    for (size_t i = 0; i < config->count; i++)
        if (config->entries[i].profile == profile && strcmp(config->entries[i].name, name) == 0)
            return &config->entries[i];
    return NULL;
}

const tf_config_entry *tf_config_find(const tf_config *config, const char *name, const tf_config_entry *after)
{
    int profile = config->chosen >= 0 && entry_of(config, name, config->chosen) ? config->chosen : -1;
    for (size_t i = after ? (size_t)(after - config->entries) + 1 : 0; i < config->count; i++)
        if (config->entries[i].profile == profile && strcmp(config->entries[i].name, name) == 0)
            return &config->entries[i];
    return NULL;
}

static int take(void *arg, const char *section, const char *name, const char *value)
{
    source *from = arg;
    tf_config *config = from->config;
    (void)section; /* which libinih cuts: open_profile */
    config->entries = bson_realloc(config->entries, (config->count + 1) * sizeof *config->entries);
    tf_config_entry *entry = &config->entries[config->count++];
    *entry = (tf_config_entry){.name = bson_strdup(name), .value = bson_strdup(value), .line = from->line, .profile = from->profile};
    for (char *c = entry->name; *c; c++)
        *c = *c == '_' ? '-' : *c;
    return 1;
}

static bool parse(char *text, tf_config *config, tf_error *err)
{
    source from = {.config = config, .rest = text, .profile = -1, .err = err};
#ifdef TF_INI_MAX_LINE
    ini_use_stack = false;
    ini_max_line = ini_initial_alloc = LINE_MAX_BYTES;
#endif
    int wrong = ini_parse_stream(next_line, &from, take, &from);
    if (err->code != TF_ERR_OK)
        return false;
    if (wrong == 0)
        return true;
    tf_error_set(err, TF_ERR_USAGE, "a line of the configuration is not of the form 'key = value'");
    at(config->path, wrong > 0 ? wrong : 0, err);
    return tf_error_hint(err, "Keys are the names of options without dashes before them: 'alert-repeat = 4h'.");
}

static bool read_file(int fd, tf_config *config, tf_error *err)
{
    _cleanup_(tf_bson_freep) char *text = bson_malloc0(FILE_MAX + 1);
    bool good = check_file(fd, config, err) && read_all(fd, config->path, text, err) && parse(text, config, err);
    explicit_bzero(text, FILE_MAX + 1);
    return good;
}

static bool no_profile(const tf_config *config, const char *wanted, tf_error *err)
{
    const char **names = bson_malloc0((config->profiles_count + 1) * sizeof *names);
    for (size_t i = 0; i < config->profiles_count; i++)
        names[i] = config->profiles[i].name;
    const char *nearest = tf_nearest(wanted, names);
    tf_error_set(err, TF_ERR_NOT_FOUND, "there is no profile '%s' in the configuration", TF_WORD(wanted));
    if (config->path)
        at(config->path, 0, err);
    if (nearest)
        tf_error_hint(err, "Did you mean '%s'?", nearest);
    else if (config->path)
        tf_error_hint(err, "A profile begins with a line '[NAME]'; 'tokenfix config' lists them.");
    else
        tf_error_hint(err, "No configuration file was found: name one with --config; 'tokenfix config' says where it is looked for.");
    bson_free(names);
    return false;
}

static bool choose(tf_config *config, const char *profile, tf_error *err)
{
    config->chosen = -1;
    for (size_t i = 0; profile && i < config->profiles_count; i++)
        if (strcmp(config->profiles[i].name, profile) == 0)
            config->chosen = (int)i;
    return !profile || config->chosen >= 0 || no_profile(config, profile, err);
}

bool tf_config_read(const char *given, const char *profile, tf_config *out, tf_error *err)
{
    char path[PATH_SIZE];
    int fd = -1;
    tf_config made = {.chosen = -1};
    int found = find(given, path, &fd, err);
    if (found == 0 && !profile)
        *out = made;
    if (found != 1)
        return found == 0 && (!profile || no_profile(&made, profile, err));
    made.path = bson_strdup(path);
    tf_error one = {0};
    bool good = read_file(fd, &made, &one) && choose(&made, profile, &one);
    close(fd);
    if (good) {
        *out = made;
        return true;
    }
    tf_config_done(&made);
    if (err && err->code == TF_ERR_OK)
        *err = one;
    return false;
}

void tf_config_done(tf_config *config)
{
    for (size_t i = 0; i < config->count; i++) {
        explicit_bzero(config->entries[i].value, strlen(config->entries[i].value));
        bson_free(config->entries[i].value);
        bson_free(config->entries[i].name);
    }
    for (size_t i = 0; i < config->profiles_count; i++)
        bson_free(config->profiles[i].name);
    bson_free(config->profiles);
    bson_free(config->entries);
    bson_free(config->path);
    *config = (tf_config){0};
}

/* ---- its keys ---- */

static const tf_option *row_of(const tf_option *table, const char *name)
{
    for (const tf_option *row = table; row && row->name; row++)
        if (strcmp(row->name, name) == 0)
            return row;
    return NULL;
}

static bool unknown(const tf_config *config, const tf_config_entry *entry, const tf_option *const *tables, size_t count,
                    tf_error *err)
{
    const char *names[NAMES_MAX + 1];
    size_t known = 0;
    for (size_t i = 0; i < count; i++)
        for (const tf_option *row = tables[i]; row && row->name && known < NAMES_MAX; row++)
            if (!row->by_hand)
                names[known++] = row->name;
    names[known] = NULL;
    const char *nearest = tf_nearest(entry->name, names);
    tf_error_set(err, TF_ERR_NOT_FOUND, "unknown key '%s' in the configuration", TF_WORD(entry->name));
    at(config->path, entry->line, err);
    return nearest ? tf_error_hint(err, "Did you mean '%s'?", nearest)
                   : tf_error_hint(err, "Keys are the names of options; 'tokenfix help COMMAND' lists them.");
}

/* A connection string without a password is none. */
static bool is_secret(const tf_option *row, const char *value)
{
    return row->secret && *value && (strncmp(value, "mongodb", 7) != 0 || tf_redact_needed(value));
}

static bool is_open_to_others(const tf_config *config)
{
    bool group_is_meant = config->owner == 0 && geteuid() != 0;
    return config->mode & S_IRWXO || (config->mode & S_IRWXG && !group_is_meant);
}

static bool check_entry(const tf_config *config, const tf_config_entry *entry, const tf_option *row, tf_error *err)
{
    const tf_config_entry *first = entry_of(config, entry->name, entry->profile);
    if (row->by_hand) {
        tf_error_set(err, TF_ERR_USAGE, "'%s' cannot be set in the configuration", row->name);
        tf_error_hint(err, "It is for whoever runs the command to say: take it out.");
    } else if (first != entry && row->kind != TF_OPT_LIST) {
        tf_error_set(err, TF_ERR_USAGE, "the key '%s' is given twice in the configuration", row->name);
        tf_error_hint(err, "Line %d has it too: leave one of them out.", first->line);
    } else if (is_secret(row, entry->value) && is_open_to_others(config)) {
        tf_error_set(err, TF_ERR_USAGE, "the configuration file holds a secret, and others than its owner may read it");
        tf_error_hint(err, "Run: chmod 600 '%s'.", TF_WORD(config->path));
    } else
        return true;
    return at(config->path, entry->line, err);
}

bool tf_config_check(const tf_config *config, const tf_option *const *tables, size_t count, tf_error *err)
{
    for (size_t i = 0; i < config->count; i++) {
        const tf_config_entry *entry = &config->entries[i];
        bool known = false;
        for (size_t n = 0; n < count; n++) {
            const tf_option *row = row_of(tables[n], entry->name);
            known = known || row;
            if (row && !check_entry(config, entry, row, err))
                return false;
        }
        if (!known)
            return unknown(config, entry, tables, count, err);
    }
    return true;
}

static bool apply_row(tf_config *config, tf_options *options, const tf_option *row, bool *applied, tf_error *err)
{
    for (const tf_config_entry *found = NULL; (found = tf_config_find(config, row->name, found));) {
        tf_config_entry *entry = &config->entries[found - config->entries];
        *applied = true;
        if (!tf_options_set(options, entry->name, entry->value, TF_SOURCE_CONFIG, err))
            return at(config->path, entry->line, err);
        if (row->secret)
            explicit_bzero(entry->value, strlen(entry->value));
    }
    return true;
}

bool tf_config_apply(tf_config *config, tf_options *options, bool *applied, tf_error *err)
{
    for (const tf_option *row = options->table; row && row->name; row++)
        if (!apply_row(config, options, row, applied, err))
            return false;
    return true;
}

static bool same_row(const tf_config *one, const tf_config *other, const tf_option *row)
{
    const tf_config_entry *a = NULL, *b = NULL;
    do {
        a = tf_config_find(one, row->name, a);
        b = tf_config_find(other, row->name, b);
        if (!a != !b || (a && !row->secret && strcmp(a->value, b->value) != 0))
            return false;
    } while (a);
    return true;
}

bool tf_config_same(const tf_config *one, const tf_config *other, const tf_options *options)
{
    for (const tf_option *row = options->table; row && row->name; row++)
        if (!same_row(one, other, row))
            return false;
    return true;
}
