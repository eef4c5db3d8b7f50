/*
 * Options. One table per command drives parsing and --help, and whatever else must know the options by name.
 *
 *   static const tf_option options[] = {
 *       TF_OPTION_INT(up_args, batch_size, "batch-size", 1, 100000, "Documents in one transaction.",
 *                     .fallback = "1000", .metavar = "N", .env = "TOKENFIX_BATCH_SIZE"),
 *       TF_OPTION_FLAG(up_args, dry_run, "dry-run", "Show what would change, and change nothing."),
 *       TF_OPTION_END
 *   };
 *
 * A row without a help text, or whose field is not of the row's type, does not compile. A value comes from, highest
 * first: flag, environment, configuration, default. Names are never abbreviated: a tool that writes does not guess.
 */
#ifndef TF_BASE_OPTION_H
#define TF_BASE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <tokenfix/error.h>

typedef enum tf_option_kind {
    TF_OPT_FLAG,   /* bool */
    TF_OPT_STRING, /* const char *, NULL when absent */
    TF_OPT_INT,    /* int64_t, min to max */
    TF_OPT_DOUBLE, /* double, real_min to real_max */
    TF_OPT_SIZE,   /* int64_t, bytes ("64M"), min to max */
    TF_OPT_DURATION, /* int64_t, milliseconds ("90s", "4h"), min to max */
    TF_OPT_CHOICE, /* const char *, one of choices */
    TF_OPT_LIST    /* tf_strings: may be given several times */
} tf_option_kind;

typedef enum tf_source {
    TF_SOURCE_NONE,
    TF_SOURCE_DEFAULT,
    TF_SOURCE_CONFIG,
    TF_SOURCE_ENVIRONMENT,
    TF_SOURCE_FLAG
} tf_source;

typedef struct tf_strings {
    const char **items;
    size_t count;
} tf_strings;

typedef struct tf_option {
    const char *name; /* long name without dashes; NULL ends the table */
    char letter;      /* short name, 0 for none */
    tf_option_kind kind;
    size_t offset;              /* of the field in the struct of arguments */
    const char *metavar;        /* how help names the value; NULL: after the kind */
    const char *fallback;       /* the default, parsed as if it were typed; NULL: the field stays zero */
    const char *env;            /* variable of the environment, NULL for none; an empty one counts as not set */
    const char *help;           /* sentences */
    const char *const *choices; /* NULL-terminated */
    int64_t min, max;
    double real_min, real_max;
    bool optional; /* --name and --name=VALUE; without a value a string is "", a choice its first. A choice takes the next
                      argument too, where that is one of its words */
    bool secret;   /* the value is copied, and wiped where it came from */
    bool by_hand;  /* not to be set by a configuration file: a decision of the one who types */
    bool single;   /* not together with several databases: it names one thing of one of them */
    bool no_flag;  /* a secret that the command line does not take, where others would see it; variable and file do */
} tf_option;

/* Zero when `condition` holds, no program otherwise. */
#define TF_ZERO_IF(condition) (0 * sizeof(char[(condition) ? 1 : -1]))
#define TF_OPTION_FIELD(type, field, field_type)                                                                       \
    (offsetof(type, field) + TF_ZERO_IF(__builtin_types_compatible_p(__typeof__(((type *)NULL)->field), field_type)))
#define TF_OPTION_ROW(type, field, field_type, kind_, name_, help_)                                                    \
    .name = "" name_, .kind = (kind_), .offset = TF_OPTION_FIELD(type, field, field_type),                             \
    .help = &("" help_)[TF_ZERO_IF(sizeof("" help_) > 1)]

#define TF_OPTION_FLAG(type, field, name, help, ...)                                                                   \
    {                                                                                                                  \
        TF_OPTION_ROW(type, field, bool, TF_OPT_FLAG, name, help), ##__VA_ARGS__                                       \
    }
#define TF_OPTION_STRING(type, field, name, help, ...)                                                                 \
    {                                                                                                                  \
        TF_OPTION_ROW(type, field, const char *, TF_OPT_STRING, name, help), ##__VA_ARGS__                             \
    }
#define TF_OPTION_INT(type, field, name, min_, max_, help, ...)                                                        \
    {                                                                                                                  \
        TF_OPTION_ROW(type, field, int64_t, TF_OPT_INT, name, help), .min = (min_), .max = (max_), ##__VA_ARGS__       \
    }
#define TF_OPTION_DOUBLE(type, field, name, min_, max_, help, ...)                                                     \
    {                                                                                                                  \
        TF_OPTION_ROW(type, field, double, TF_OPT_DOUBLE, name, help), .real_min = (min_), .real_max = (max_),         \
                                                                       ##__VA_ARGS__                                   \
    }
#define TF_OPTION_SIZE(type, field, name, min_, max_, help, ...)                                                       \
    {                                                                                                                  \
        TF_OPTION_ROW(type, field, int64_t, TF_OPT_SIZE, name, help), .min = (min_), .max = (max_), ##__VA_ARGS__      \
    }
#define TF_OPTION_DURATION(type, field, name, min_, max_, help, ...)                                                   \
    {                                                                                                                  \
        TF_OPTION_ROW(type, field, int64_t, TF_OPT_DURATION, name, help), .min = (min_), .max = (max_), ##__VA_ARGS__  \
    }
/* `words`: a NULL-terminated array of the values allowed. */
#define TF_OPTION_CHOICE(type, field, name, words, help, ...)                                                          \
    {                                                                                                                  \
        TF_OPTION_ROW(type, field, const char *, TF_OPT_CHOICE, name, help), .choices = (words), ##__VA_ARGS__         \
    }
#define TF_OPTION_LIST(type, field, name, help, ...)                                                                   \
    {                                                                                                                  \
        TF_OPTION_ROW(type, field, tf_strings, TF_OPT_LIST, name, help), ##__VA_ARGS__                                 \
    }
#define TF_OPTION_END                                                                                                  \
    {                                                                                                                  \
        .name = NULL                                                                                                   \
    }

/* A table bound to the struct it fills, and where each value came from. Free with tf_options_done. */
typedef struct tf_options {
    const tf_option *table;
    void *args;
    struct tf_option_state *states; /* one per row */
} tf_options;

/* `args` is zeroed by the caller and outlives the binding; `table` may be NULL (no options). */
void tf_options_init(tf_options *options, const tf_option *table, void *args);
void tf_options_done(tf_options *options);

/* Reads argv[*next …] against the NULL-terminated `scopes`. Words that are no options are collected in `words`, which has
 * room for all; with `stop_at_word` reading ends behind the first. *next is where reading ended. On failure TF_ERR_USAGE,
 * or TF_ERR_NOT_FOUND with the nearest name as hint. Secret values are wiped from argv. */
bool tf_options_parse(tf_options *const *scopes, int argc, char **argv, bool stop_at_word, int *next, char **words,
                      int *words_count, tf_error *err);

/* Gives a value to the row `name` unless it has one from a higher source. TF_ERR_NOT_FOUND: no such row. `value` must
 * outlive the binding. For configuration files. */
bool tf_options_set(tf_options *options, const char *name, const char *value, tf_source source, tf_error *err);

/* Whether a row is of that name. */
bool tf_options_have(const tf_options *options, const char *name);

/* Gives the rows of `to`, a fresh binding of the same table, the values that `from` has from flags and the environment. They
 * are borrowed from it. */
void tf_options_repeat(const tf_options *from, tf_options *to);

/* Gives the row `name` a value as if the environment had: for what was asked for on a terminal, and is needed once more. */
void tf_options_keep(const tf_options *options, const char *name, const char *value);

/* Fills what has no value yet from the environment, then from the defaults. */
bool tf_options_fill(tf_options *options, tf_error *err);

/* Wipes the values of all secret rows: they are empty from now on. To be called when they have been used. */
void tf_options_forget(const tf_options *options);

/* Where the value of `name` came from; TF_SOURCE_NONE when it has none. */
tf_source tf_options_source(const tf_options *options, const char *name);

/* The i-th value of a row of the table as it was given; NULL behind the last (of all but a list the first). A secret that was
 * forgotten is "". */
const char *tf_options_value(const tf_options *options, const tf_option *row, size_t i);

/* Whether every row is sound: unique names and letters (also against `other`, may be NULL), a help text, a default that
 * parses, choices. TF_ERR_INTERNAL names the row. */
bool tf_option_check(const tf_option *table, const tf_option *other, tf_error *err);

/* How help and messages name the value of a row: "N", "TEXT", "auto|always|never"; NULL for a flag. */
const char *tf_option_metavar(const tf_option *row, char *buffer, size_t size);

#endif
