/* A sheet: what a command says in labelled lines. And small pieces of BSON and text that the reports share. */
#ifndef TF_CMD_SHEET_H
#define TF_CMD_SHEET_H

#include <tokenfix/bson.h>
#include <stdbool.h>

#include "report/table.h"

tf_table *tf_sheet_new(void);

/* A line; the text is wrapped beside its label. */
void tf_sheet_add(tf_table *sheet, const char *label, const char *format, ...) __attribute__((format(printf, 3, 4)));

void tf_sheet_print(const tf_table *sheet);

/* A value on one line, as JSON; strings without their quotes. Cut at the end. Fills and returns `out`. */
const char *tf_value_text(const bson_value_t *value, char *out, size_t size);

/* key: text, or null where the text is NULL or empty. */
void tf_append_text(bson_t *to, const char *key, const char *text);

/* The same of a message that was stored or comes from the server: no connection string shows its password. */
void tf_append_message(bson_t *to, const char *key, const char *text);

/* key: date, or null for 0. */
void tf_append_time(bson_t *to, const char *key, int64_t ms);

/* key: a copy of the array, empty for NULL. */
void tf_append_array(bson_t *to, const char *key, const bson_t *array);

#endif
