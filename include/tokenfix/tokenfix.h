/*
 * libtokenfix: preview, repair, prove and take back from a program of your own, with migrations of your own.
 *
 *   extern const tf_migration mine;                          (tokenfix/migration.h)
 *   const tf_migration *const tf_migrations[] = {&mine, NULL};
 *   const size_t tf_migrations_count = 1;
 *
 *   tf_error err = TF_ERROR_INIT;
 *   tokenfix *db = tokenfix_open("mongodb://127.0.0.1/wallet?replicaSet=rs0", NULL, &err);
 *   tokenfix_result result;
 *   if (db && tokenfix_up(db, NULL, NULL, &result, &err)) …
 *   tokenfix_close(db);
 *
 * The program defines the two variables; without them there are no migrations, and runs can still be proven and taken back, for a
 * run stores its repair. Nothing is printed, and nobody is asked: a call of tokenfix_up is the confirmation. The same rules hold as
 * for the command line: one writing run at a time, everything backed up, a connection that leaves this machine needs TLS.
 * A tokenfix is used by one thread at a time. Signals are the program's: tokenfix_stop() is what Ctrl-C does to the command.
 */
#ifndef TOKENFIX_TOKENFIX_H
#define TOKENFIX_TOKENFIX_H

#include <stdbool.h>
#include <stdint.h>
#include <tokenfix/api.h>
#include <tokenfix/error.h>
#include <tokenfix/migration.h>
#include <tokenfix/version.h>

TF_API_BEGIN

/* A connection to one database. */
typedef struct tokenfix tokenfix;

/* All may be zero, and so may the pointer to it be NULL. */
typedef struct tokenfix_options {
    int64_t batch_size;   /* documents in one batch at most; 0: 1,000 documents or 4 MB */
    int64_t workers;      /* 0: as many as this machine has processors, at most 4 */
    const char *strategy; /* "transaction" (NULL) or "journal" */
    bool again;           /* up: repair what came up since the migration was completed */
    bool resume;          /* go on with an interrupted run instead of beginning one */
} tokenfix_options;

/* Amounts are integers of 10^-scale of the repair's ledger. What a call says nothing of is 0. */
typedef struct tokenfix_result {
    char run[48];      /* id; empty: no run was made */
    char state[32];    /* of the run: "completed", "rolled_back" … */
    int64_t documents; /* to repair (preview), repaired (up), restored (down), in the backup (verify) */
    int64_t amount;
    int64_t owners; /* preview: accounts concerned */
    int64_t batches;
    int64_t refused;   /* left alone, for the server could not hold them unharmed */
    int64_t conflicts; /* down: changed or deleted since, left alone */
    int64_t equal;     /* byte for byte as predicted */
    int64_t changed_later, missing, remaining, unexplained;
    bool proven; /* the proof found nothing */
} tokenfix_result;

/* Of the library that is loaded: "0.1.0". */
const char *tokenfix_version(void);

/* Connects within 5 seconds to the server and the database that `uri` names. `state_db` NULL: the database's name with "_tokenfix"
 * behind it. NULL on failure; free with tokenfix_close, which accepts NULL. */
tokenfix *tokenfix_open(const char *uri, const char *state_db, tf_error *err);
void tokenfix_close(tokenfix *db);

/* What `up` would repair; writes nothing. `migration`: an id, a unique beginning of one, or NULL for the default. */
bool tokenfix_preview(tokenfix *db, const char *migration, tokenfix_result *out, tf_error *err);

/* Repairs and proves. On failure *out still names the run, if there is one; the error's code says whether it was taken back
 * (TF_ERR_INVARIANT, TF_ERR_REFUSED_WRITE), can be resumed (those whose tf_error_exit is 7) or never began. */
bool tokenfix_up(tokenfix *db, const char *migration, const tokenfix_options *options, tokenfix_result *out,
                 tf_error *err);

/* Proves a finished run again; writes nothing. `run`: an id, a migration (its newest run), or NULL for the newest of the default. What
 * was found is in *out, not in the return value. */
bool tokenfix_verify(tokenfix *db, const char *run, tokenfix_result *out, tf_error *err);

/* Takes a run back: every document gets what it had, conflicts are left alone. */
bool tokenfix_down(tokenfix *db, const char *run, const tokenfix_options *options, tokenfix_result *out, tf_error *err);

/* Asks every run of this process for an orderly stop: the batch is finished, the run can be resumed. A second time: at once. Safe
 * in a signal handler; it cannot be taken back. */
void tokenfix_stop(void);

TF_API_END

#endif
