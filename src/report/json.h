/*
 * BSON printed as JSON for programs: numbers are plain numbers (integers with all their digits, doubles in the shortest
 * form that reads back equal; NaN and infinities are strings), Decimal128 is a string, dates are ISO 8601 strings in
 * UTC, ObjectIds hexadecimal strings; other types are relaxed Extended JSON. Invalid UTF-8 becomes \ufffd.
 */
#ifndef TF_REPORT_JSON_H
#define TF_REPORT_JSON_H

#include <tokenfix/bson.h>
#include <stdbool.h>
#include <stdio.h>

/* One object, indented by two blanks, and a line end. Errors stay in the stream. What is nested deeper than 256 levels
 * is replaced by a string that says so. */
void tf_json_print(FILE *out, const bson_t *doc);

/* The members of an object without its braces and with commas between them, each on a line of its own behind a line end and `depth`
 * times two blanks, but the first where it stands: for an answer that is written piece by piece. */
void tf_json_print_members(FILE *out, const bson_t *doc, int depth);

/* An object on one line, without a line end. */
void tf_json_print_line(FILE *out, const bson_t *doc);

/* One value on one line, as in a table's cell. */
void tf_json_print_value(FILE *out, const bson_iter_t *value);

#endif
