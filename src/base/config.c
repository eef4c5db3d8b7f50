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

enum { FILE_MAX = 65536, LINE_MAX_BYTES = 8192, NAMES_MAX = 511, PATH_SIZE = 4096 };

/* ---- finding and reading the file ---- */

static bool at(const char *path, int line, tf_error *err)
{
    char shown[200];
    tf_text_clean(path, shown, sizeof shown);
    return line ? tf_error_detail(err, "%s, line %d", shown, line) : tf_error_detail(err, "%s", shown);
}

/* The places where it is looked for, one after the other; false behind the last. */
static bool place(size_t n, char *out, size_t size)
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
    for (size_t n = 0; place(n, path, PATH_SIZE); n++) {
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
    tf_error *err;
} source;

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
    } else if (*line == '[') {
        tf_error_set(from->err, TF_ERR_USAGE, "unknown section '%s' in the configuration", TF_WORD(line));
        tf_error_hint(from->err, "Write all keys without sections.");
    } else
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

static const tf_config_entry *entry_of(const tf_config *config, const char *name)
{
    for (size_t i = 0; i < config->count; i++)
        if (strcmp(config->entries[i].name, name) == 0)
            return &config->entries[i];
    return NULL;
}

static int take(void *arg, const char *section, const char *name, const char *value)
{
    source *from = arg;
    tf_config *config = from->config;
    (void)section; /* there are none: check_line */
    config->entries = bson_realloc(config->entries, (config->count + 1) * sizeof *config->entries);
    tf_config_entry *entry = &config->entries[config->count++];
    *entry = (tf_config_entry){.name = bson_strdup(name), .value = bson_strdup(value), .line = from->line};
    for (char *c = entry->name; *c; c++)
        *c = *c == '_' ? '-' : *c;
    return 1;
}

static bool parse(char *text, tf_config *config, tf_error *err)
{
    source from = {.config = config, .rest = text, .err = err};
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

bool tf_config_read(const char *given, tf_config *out, tf_error *err)
{
    char path[PATH_SIZE];
    int fd = -1;
    int found = find(given, path, &fd, err);
    if (found != 1)
        return found == 0;
    tf_config made = {.path = bson_strdup(path)};
    tf_error one = {0};
    bool good = read_file(fd, &made, &one);
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
    const tf_config_entry *first = entry_of(config, entry->name);
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

bool tf_config_apply(tf_config *config, tf_options *options, bool *applied, tf_error *err)
{
    for (size_t i = 0; i < config->count; i++) {
        tf_config_entry *entry = &config->entries[i];
        const tf_option *row = row_of(options->table, entry->name);
        if (!row)
            continue;
        *applied = true;
        if (!tf_options_set(options, entry->name, entry->value, TF_SOURCE_CONFIG, err))
            return at(config->path, entry->line, err);
        if (row->secret)
            explicit_bzero(entry->value, strlen(entry->value));
    }
    return true;
}

bool tf_config_same(const tf_config *one, const tf_config *other, const tf_options *options)
{
    for (const tf_option *row = options->table; row && row->name; row++) {
        const tf_config_entry *a = entry_of(one, row->name), *b = entry_of(other, row->name);
        if (!a != !b || (a && b && !row->secret && strcmp(a->value, b->value) != 0))
            return false;
    }
    return true;
}
