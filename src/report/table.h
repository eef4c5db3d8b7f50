/*
 * The one table model: columns and rows of values, printed as text for people or handed out as BSON for --json.
 *
 *   static const tf_column columns[] = {
 *       {"npub", "user", TF_COLUMN_TEXT, TF_COLUMN_SHRINK}, {"tokenCount", "tokens", TF_COLUMN_COUNT}, {NULL}};
 *   tf_table *table = tf_table_new(columns, 0);
 *   tf_table_add(table, TF_CELL_TEXT(npub), TF_CELL_NUMBER(tokens));
 *   tf_table_print(table, stdout);
 *   tf_table_free(table);
 */
#ifndef TF_REPORT_TABLE_H
#define TF_REPORT_TABLE_H

#include <tokenfix/bson.h>
#include <stdbool.h>
#include <stdio.h>
#include <tokenfix/cleanup.h>

typedef enum tf_column_kind {
    TF_COLUMN_TEXT,
    TF_COLUMN_STATE,    /* a word, coloured after its meaning: ok, warning, failed, completed, … */
    TF_COLUMN_COUNT,    /* 1,234 */
    TF_COLUMN_BYTES,    /* 1.5 MiB */
    TF_COLUMN_DURATION, /* milliseconds: 1 m 12 s */
    TF_COLUMN_TIME      /* milliseconds since the epoch: 2026-11-20T17:30:24.123Z */
} tf_column_kind;

enum {
    TF_COLUMN_SHRINK = 1, /* cut the text where the table is too wide, and mark it as cut */
    TF_COLUMN_WRAP = 2    /* or wrap it */
};

typedef struct tf_column {
    const char *name;   /* key in BSON; NULL ends the table */
    const char *header; /* in text */
    tf_column_kind kind;
    unsigned flags; /* TF_COLUMN_SHRINK, TF_COLUMN_WRAP; numbers stand at the right, all else at the left */
} tf_column;

typedef struct tf_cell {
    enum { TF_CELL_IS_NONE, TF_CELL_IS_TEXT, TF_CELL_IS_NUMBER } type;
    const char *text;
    int64_t number;
} tf_cell;

#define TF_CELL_NONE ((tf_cell){.type = TF_CELL_IS_NONE})
#define TF_CELL_TEXT(s) ((tf_cell){.type = TF_CELL_IS_TEXT, .text = (s)})
#define TF_CELL_NUMBER(n) ((tf_cell){.type = TF_CELL_IS_NUMBER, .number = (n)})

typedef struct tf_table tf_table;

enum { TF_TABLE_NO_HEADER = 1 };

/* `columns` is borrowed and outlives the table. */
tf_table *tf_table_new(const tf_column *columns, unsigned flags);
void tf_table_free(tf_table *table);

/* Adds a row; texts are copied. Cells left out are empty (null in BSON), a text may be NULL. */
#define tf_table_add(table, ...)                                                                                       \
    tf_table_add_row(table, (const tf_cell[]){__VA_ARGS__}, sizeof((const tf_cell[]){__VA_ARGS__}) / sizeof(tf_cell))
void tf_table_add_row(tf_table *table, const tf_cell *cells, size_t count);
size_t tf_table_rows(const tf_table *table);

/* Text, not wider than the stream's terminal (80 columns where there is none): columns shrink or wrap as they may, and a table
 * with a header that is too wide even so becomes a block of lines for each row. In colours where the terminal has them; control
 * characters escaped. Prints nothing for a table without rows. */
void tf_table_print(const tf_table *table, FILE *out);

/* Appends the rows as an array of objects keyed by column name. */
void tf_table_append(const tf_table *table, bson_t *to, const char *key);

TF_CLEANUP(tf_table *, tf_table_free)

#endif
