/*
 * Errors. A function that can fail returns false (or NULL) and fills a tf_error; nothing below cmd and serve prints.
 *
 * The table fixes, once, the number of a code, the exit status it leads to and the symbol that JSON shows.
 * A tf_error is a plain value: nothing to free. Zero-initialise it: `tf_error err = {0};`, in C++ too `= TF_ERROR_INIT;`
 */
#ifndef TOKENFIX_ERROR_H
#define TOKENFIX_ERROR_H

#include <stdbool.h>
#include <stdint.h>
#include <tokenfix/api.h>

TF_API_BEGIN

/* X(name, exit status) */
#define TF_ERROR_TABLE(X)                                                                                              \
    X(OK, 0)                                                                                                           \
    X(INTERNAL, 1)          /* a bug of ours */                                                                        \
    X(MEMORY, 1)                                                                                                       \
    X(SYSTEM, 1)            /* a system call failed; detail carries strerror */                                        \
    X(USAGE, 2)             /* the command line is wrong */                                                            \
    X(NOT_FOUND, 2)         /* no command, option, migration or run of that name */                                    \
    X(CONNECT, 8)           /* "Database connection not ready" */                                                      \
    X(AUTH, 8)              /* wrong name or password */                                                               \
    X(PERMISSION, 8)        /* "Permission denied": code 13 of the server */                                           \
    X(NOT_WRITABLE, 8)      /* a read-only secondary */                                                                \
    X(UNSUPPORTED, 1)       /* the server's version or topology cannot do what was asked */                            \
    X(MISSING, 1)           /* what the migration requires is absent */                                                \
    X(SERVER, 1)            /* any other refusal by the server; server_code carries its code */                        \
    X(TRANSIENT, 7)         /* retries exhausted on an error that a later attempt may not meet */                      \
    X(TOO_LARGE, 7)         /* a batch that cannot be made smaller still is too large for the server */                \
    X(CONFIRM, 4)           /* confirmation missing or refused */                                                      \
    X(LEASE_HELD, 5)        /* another run holds the lease */                                                          \
    X(LEASE_LOST, 7)        /* another run took this one over while it ran */                                          \
    X(INVARIANT, 6)         /* an invariant failed */                                                                  \
    X(REFUSED_WRITE, 6)     /* the server refused a batch (11000, 121): the run is rolled back */                      \
    X(INTERRUPTED, 7)       /* stopped, can be resumed */                                                              \
    X(CANCELLED, 1)         /* somebody cancelled the run; what is done stays */                                       \
    X(NO_ANSWER, 1)         /* a run's owner did not do what it was asked for in time */                               \
    X(COMPLETED, 1)         /* "Migration has already been completed" */                                               \
    X(NEEDED, 1)            /* a backup that can still be needed is not removed without --force */                      \
    X(NO_BACKUP, 1)         /* "No backup data found - cannot rollback safely" */                                      \
    X(NOTHING_TO_DO, 1)     /* nothing to resume, nothing to roll back */                                              \
    X(DAMAGED, 1)           /* a backup document or a record of the state database is missing or altered */            \
    X(DEPENDENCY, 1)        /* a migration it depends on is missing, pending, or part of a cycle */                    \
    X(INVALID, 1)           /* a migration, repair or document that is not of the form it must have */                 \
    X(OVERFLOW, 1)          /* a sum left the range of 64 bits */                                                      \
    X(NOT_READY, 1)         /* a prerequisite that `validate` looked at does not hold */                               \
    X(OUTPUT, 1)            /* standard output cannot be written (full disk, closed pipe) */

typedef enum {
#define TF_ERROR_ENUM(name, exit) TF_ERR_##name,
    TF_ERROR_TABLE(TF_ERROR_ENUM)
#undef TF_ERROR_ENUM
} tf_error_code;

typedef struct tf_error {
    tf_error_code code;  /* TF_ERR_OK when nothing happened */
    int32_t server_code; /* the server's or driver's number, 0 where there is none */
    uint32_t labels;     /* TF_LABEL_*: what the server says about trying again */
    char message[512];   /* what happened: lower case, no full stop (but for texts that users search for) */
    char detail[512];    /* what was underneath, may be empty */
    char hint[512];      /* what to do next: a sentence, may be empty */
} tf_error;

#define TF_ERROR_INIT {TF_ERR_OK, 0, 0, "", "", ""}

enum {
    TF_LABEL_TRANSIENT_TXN = 1,  /* TransientTransactionError */
    TF_LABEL_UNKNOWN_COMMIT = 2, /* UnknownTransactionCommitResult */
    TF_LABEL_NETWORK = 4,        /* the connection was lost or no server could be selected */
    TF_LABEL_RETRYABLE = 8,      /* RetryableWriteError */
    TF_LABEL_SELECTION = 16      /* no server could be selected: nothing was sent */
};

/* Fills *err and returns false, so that `return tf_error_set(...)` reads well. An error already there is kept: a lower
 * layer's word is never masked. err may be NULL. */
bool tf_error_set(tf_error *err, tf_error_code code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Sets the hint / the detail where there is none yet; return false. */
bool tf_error_hint(tf_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool tf_error_detail(tf_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Like tf_error_set with TF_ERR_SYSTEM and strerror(errnum) as detail. */
bool tf_error_errno(tf_error *err, int errnum, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Makes *err empty again. */
void tf_error_clear(tf_error *err);

/* The exit status a code leads to, and its symbol ("LEASE_HELD"). Static strings. */
int tf_error_exit(tf_error_code code);
const char *tf_error_name(tf_error_code code);

TF_API_END

#endif
