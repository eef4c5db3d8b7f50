/*
 * How a command ends: with data or with an error, in text or as the one JSON object on standard output. Messages pass
 * through here so that no connection string shows its password and no control character reaches a terminal.
 */
#ifndef TF_REPORT_OUTPUT_H
#define TF_REPORT_OUTPUT_H

#include <tokenfix/bson.h>
#include <stdbool.h>
#include <tokenfix/error.h>

/* {"success": true, "data": {…}} on standard output. */
void tf_output_success(const bson_t *data);

/* The error: with `json` {"success": false, "error": {…}} on standard output, else in lines on standard error. `run`
 * (its id) and `preview` may be NULL. Returns the exit status the error leads to. */
int tf_output_error(const tf_error *err, const char *run, const bson_t *preview, bool json);

/* The same with what was done before it failed, or was looked at: {"success": false, "data": {…}, "error": {…}}. Text does
 * not show `data`, which may be NULL. */
int tf_output_failure(const tf_error *err, const char *run, const bson_t *data, bool json);

/* An answer that is written piece by piece: tf_output_open begins the object, the caller writes "data": {…} and a comma behind
 * it, and tf_output_close ends it with success, or with the error. */
void tf_output_open(void);
void tf_output_close(const tf_error *err);

/*
 * Several databases, one after the other. From tf_output_begin_many to tf_output_end_many every answer becomes one of the
 * objects of data.databases, with the database's name and exit status; without `json` messages on standard error name the
 * database.
 */
void tf_output_begin_many(bool json);
void tf_output_begin_one(const char *db);
void tf_output_end_one(int exit);
void tf_output_end_many(int exit);

/* A line on standard error: "tokenfix: warning: …" / "tokenfix: …", wrapped. */
void tf_output_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void tf_output_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* That the process ends where it stands: written with nothing but write(2), so that a signal handler may call it. */
void tf_output_ended(void);

/* That standard output could not be written, for this errno: what tf_output_finish would not see by itself. */
void tf_output_lost(int reason);

/* Last thing in main: writes what is buffered and returns `status`, or 1 with a message where standard output could not
 * take it and `status` would have said that all is well. */
int tf_output_finish(int status);

#endif
