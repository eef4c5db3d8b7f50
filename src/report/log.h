/*
 * The log: what is told on standard error, for programs and for later. Its lines go, each where it was asked for,
 *
 *   into a file                {"time": …, "level": "warning", "message": …}, or 2026-11-21T23:18:07.123Z warning wallet: …
 *   to standard error as JSON  instead of the lines for people
 *   to journald                instead of the lines for people, where standard error is connected to it (JOURNAL_STREAM): over its
 *                              socket, with the same fields by name (TOKENFIX_DATABASE=…)
 *
 * Texts are cleaned and passwords in connection strings hidden here. One process has one log; any thread may write to it.
 */
#ifndef TF_REPORT_LOG_H
#define TF_REPORT_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <tokenfix/error.h>

typedef enum { TF_LOG_ERROR, TF_LOG_WARNING, TF_LOG_INFO, TF_LOG_DEBUG } tf_log_level;

typedef struct tf_log_options {
    const char *file;  /* NULL: none. Borrowed until tf_log_close */
    bool json;         /* lines are JSON */
    bool chosen;       /* somebody chose the format: journald is not asked */
    const char *level; /* "error", "warning", "info", "debug": what is less grave is left out */
} tf_log_options;

/* What is known besides the message; zeros and NULL where it is not. */
typedef struct tf_log_fields {
    const char *code, *detail, *hint, *run; /* of an error */
    const char *command;
    bool ended; /* these two are known: */
    int exit;
    int64_t elapsed_ms;
} tf_log_fields;

/* Opens what is asked for; without it (or before) only standard error for people is there. USAGE: the file cannot be opened, or is
 * none. It is made with mode 600; one that was renamed or removed meanwhile (logrotate) is made anew with the next line. */
bool tf_log_open(const tf_log_options *options, tf_error *err);
void tf_log_close(void);

/* The database that the following lines are about; NULL: none. */
void tf_log_about(const char *database);

/* Whether lines for people are not to be written to standard error: the log's are. */
bool tf_log_has_stderr(void);

/* Writes a line. `fields` may be NULL. A failure is told once on standard error, and changes nothing else. */
void tf_log(tf_log_level level, const tf_log_fields *fields, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
