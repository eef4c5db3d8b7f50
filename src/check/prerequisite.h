/*
 * The prerequisites of an `up`: what must hold, or should, before anything is written. Each is a row: ok, a warning with
 * its cost, or failed with what to do. Everything is looked at, nothing is written, and one row's failure does not hide
 * the next. What the user may not see is a warning, "not visible with these privileges".
 */
#ifndef TF_CHECK_PREREQUISITE_H
#define TF_CHECK_PREREQUISITE_H

#include <tokenfix/repair.h>

#include "db/client.h"
#include "db/members.h"
#include "db/privilege.h"
#include "store/store.h"

typedef enum { TF_PREREQUISITE_OK, TF_PREREQUISITE_WARNING, TF_PREREQUISITE_FAILED } tf_prerequisite_state;

typedef struct tf_prerequisite {
    char name[32]; /* "server_version": a key for programs */
    tf_prerequisite_state state;
    tf_error_code code; /* of a failed one: fixes the exit status */
    char message[512];
    char hint[384]; /* what to do, may be empty */
} tf_prerequisite;

enum { TF_PREREQUISITES_MAX = 20 };

typedef struct tf_prerequisite_list {
    tf_prerequisite rows[TF_PREREQUISITES_MAX];
    size_t count;
} tf_prerequisite_list;

/* What is checked; everything is borrowed. */
typedef struct tf_prerequisite_input {
    const tf_client *client;
    const tf_store *store;
    const tf_repair *repair;
    const char *const *requires; /* collections that must exist, NULL-terminated; NULL: none */
    const char *const *reads;    /* collections that are read where they exist, likewise */
    const char *strategy;        /* "transaction" (NULL) or "journal" */
    int64_t documents;           /* that will be changed; -1: not known */
    int64_t bytes;               /* of these; -1: not known */
} tf_prerequisite_input;

/* Fills *list. False only where the connection is lost while checking. */
bool tf_prerequisites_check(const tf_prerequisite_input *input, tf_prerequisite_list *list, tf_error *err);

/* "ok", "warning", "failed" */
const char *tf_prerequisite_state_name(tf_prerequisite_state state);

/* Whether none failed. Otherwise *err is the first failed row that is about the connection or the privileges (exit 8), or
 * the first failed at all (exit 1). */
bool tf_prerequisites_hold(const tf_prerequisite_list *list, tf_error *err);

/* ---- the rows, one function each; exposed for tests ---- */

/* Appends a row; the hint may be NULL. `code` counts for a failed one. */
void tf_prerequisite_ok(tf_prerequisite_list *list, const char *name, const char *format, ...)
    __attribute__((format(__printf__, 3, 4)));
void tf_prerequisite_warn(tf_prerequisite_list *list, const char *name, const char *hint, const char *format, ...)
    __attribute__((format(__printf__, 4, 5)));
void tf_prerequisite_fail(tf_prerequisite_list *list, const char *name, tf_error_code code, const char *hint,
                          const char *format, ...) __attribute__((format(__printf__, 5, 6)));

/* A row that could not be looked at: true and a warning, or false with *err where the connection is lost. */
bool tf_prerequisite_unseen(tf_prerequisite_list *list, const char *name, const tf_error *why, tf_error *err);

typedef bool tf_prerequisite_row(const tf_prerequisite_input *input, tf_prerequisite_list *list, tf_error *err);

/* prerequisite_server.c: from what the connection knows */
tf_prerequisite_row tf_prerequisite_connection, tf_prerequisite_version, tf_prerequisite_topology, tf_prerequisite_disk;
/* prerequisite_members.c */
tf_prerequisite_row tf_prerequisite_members;
void tf_prerequisite_lag(const tf_facts *facts, const tf_members *members, tf_prerequisite_list *list);
void tf_prerequisite_clock(const tf_members *members, tf_prerequisite_list *list);
/* prerequisite_access.c */
tf_prerequisite_row tf_prerequisite_privileges;
void tf_prerequisite_held(const tf_prerequisite_input *input, const tf_privileges *held, tf_prerequisite_list *list);
/* prerequisite_collection.c */
tf_prerequisite_row tf_prerequisite_collections, tf_prerequisite_fields;
/* prerequisite_index.c */
tf_prerequisite_row tf_prerequisite_index, tf_prerequisite_index_cost;
/* prerequisite_runs.c */
tf_prerequisite_row tf_prerequisite_runs;

#endif
