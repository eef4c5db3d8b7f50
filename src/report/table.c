#include "report/table.h"

#include <libsmartcols.h>

#include "base/text.h"
#include "report/format.h"
#include "report/terminal.h"

#define GAP "  "

enum { CELL_MAX = 4096, NARROW = 12, SHRUNK = 24, THIN = 10 };

struct tf_table {
    const tf_column *columns;
    size_t width; /* number of columns */
    unsigned flags;
    tf_cell *cells; /* row by row; texts are owned */
    size_t rows, room;
};

tf_table *tf_table_new(const tf_column *columns, unsigned flags)
{
    tf_table *table = bson_malloc0(sizeof *table);
    table->columns = columns;
    table->flags = flags;
    while (columns[table->width].name)
        table->width++;
    return table;
}

void tf_table_free(tf_table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->rows * table->width; i++)
        if (table->cells[i].type == TF_CELL_IS_TEXT)
            free((void *)(uintptr_t)table->cells[i].text);
    bson_free(table->cells);
    bson_free(table);
}

void tf_table_add_row(tf_table *table, const tf_cell *cells, size_t count)
{
    if (table->rows == table->room) {
        table->room = table->room ? table->room * 2 : 16;
        table->cells = bson_realloc(table->cells, table->room * table->width * sizeof *table->cells);
    }
    tf_cell *row = table->cells + table->rows++ * table->width;
    for (size_t i = 0; i < table->width; i++) {
        row[i] = i < count ? cells[i] : TF_CELL_NONE;
        if (row[i].type == TF_CELL_IS_TEXT)
            row[i] = row[i].text ? TF_CELL_TEXT(bson_strdup(row[i].text)) : TF_CELL_NONE;
    }
}

size_t tf_table_rows(const tf_table *table)
{
    return table->rows;
}

/* ---- text ---- */

static const char *cell_text(const tf_cell *cell, tf_column_kind kind, char out[static CELL_MAX])
{
    if (cell->type == TF_CELL_IS_NONE)
        return "";
    if (cell->type == TF_CELL_IS_TEXT)
        return tf_text_clean(cell->text, out, CELL_MAX);
    switch (kind) {
    case TF_COLUMN_BYTES:
        return tf_format_bytes(cell->number, out);
    case TF_COLUMN_DURATION:
        return tf_format_duration(cell->number, out);
    case TF_COLUMN_TIME:
        return tf_format_time(cell->number, out);
    default:
        return tf_format_count(cell->number, out);
    }
}

static const char *state_color(const char *state)
{
    static const char *const colors[][2] = {
        {"ok", "green"},          {"completed", "green"},  {"applied", "green"},
        {"warning", "yellow"},    {"pending", "yellow"},   {"interrupted", "yellow"},
        {"paused", "yellow"},     {"running", "cyan"},     {"verifying", "cyan"},
        {"rolling_back", "cyan"}, {"rolled_back", "cyan"}, {"rolled_back_with_conflicts", "yellow"},
        {"failed", "red"},        {"cancelled", "red"},    {"error", "red"},
        {"high", "red"},          {"medium", "yellow"},    {"skipped", "cyan"},
    };
    for (size_t i = 0; i < sizeof colors / sizeof *colors; i++)
        if (strcmp(colors[i][0], state) == 0)
            return colors[i][1];
    return NULL;
}

static const char *header(const tf_table *table, size_t column)
{
    return table->flags & TF_TABLE_NO_HEADER ? "" : table->columns[column].header;
}

/* What the other columns leave of the terminal's width to one that wraps. smartcols would break within words. */
static size_t wrap_width(const tf_table *table, size_t terminal)
{
    char buffer[CELL_MAX];
    size_t taken = 0;
    for (size_t i = 0; i < table->width; i++) {
        const tf_column *column = &table->columns[i];
        if (column->flags & TF_COLUMN_WRAP)
            continue;
        size_t widest = tf_text_width(header(table, i));
        for (size_t r = 0; r < table->rows; r++) {
            size_t width = tf_text_width(cell_text(&table->cells[r * table->width + i], column->kind, buffer));
            widest = width > widest ? width : widest;
        }
        taken += (column->flags & TF_COLUMN_SHRINK && widest > SHRUNK ? SHRUNK : widest) + strlen(GAP);
    }
    return taken + THIN < terminal ? terminal - taken : THIN;
}

/* How wide each column may be so that the table fits, as far as columns that shrink allow it: the widest gives first. What all
 * take together at least. */
static size_t share_width(const tf_table *table, size_t terminal, size_t *widths)
{
    char buffer[CELL_MAX];
    size_t total = 0;
    for (size_t i = 0; i < table->width; i++) {
        widths[i] = tf_text_width(header(table, i));
        for (size_t r = 0; r < table->rows; r++) {
            size_t width =
                tf_text_width(cell_text(&table->cells[r * table->width + i], table->columns[i].kind, buffer));
            widths[i] = width > widths[i] ? width : widths[i];
        }
        if (table->columns[i].flags & TF_COLUMN_WRAP)
            widths[i] = NARROW;
        total += widths[i] + (i ? strlen(GAP) : 0);
    }
    while (total > terminal) {
        size_t widest = table->width;
        for (size_t i = 0; i < table->width; i++)
            if (table->columns[i].flags & TF_COLUMN_SHRINK && widths[i] > NARROW &&
                (widest == table->width || widths[i] > widths[widest]))
                widest = i;
        if (widest == table->width)
            break;
        widths[widest]--;
        total--;
    }
    for (size_t i = 0; i < table->width; i++)
        if (table->columns[i].flags & TF_COLUMN_WRAP)
            total -= NARROW - THIN;
    return total;
}

/* What is cut says so: a name that lacks its end must not be taken for a whole one. */
static void cut(char text[static CELL_MAX], size_t width)
{
    static const char mark[] = "...";
    size_t at = 0, length = strlen(text);
    if (width < NARROW || tf_text_width(text) <= width)
        return;
    for (size_t n = 0; n + strlen(mark) < width && at < length; n++) {
        size_t step = tf_utf8_next(text + at, length - at, NULL);
        at += step ? step : 1;
    }
    if (at + sizeof mark <= CELL_MAX)
        memcpy(text + at, mark, sizeof mark);
}

static char *wrapped(const char *text, size_t width)
{
    char *lines = NULL;
    size_t size = 0;
    FILE *out = tf_text_stream(&lines, &size);
    if (!out)
        return NULL;
    tf_text_wrap(out, text, 0, 0, width);
    fclose(out);
    if (size)
        lines[size - 1] = '\0'; /* its last line end */
    return lines;
}

static void add_columns(const tf_table *table, struct libscols_table *to)
{
    for (size_t i = 0; i < table->width; i++) {
        const tf_column *column = &table->columns[i];
        bool number =
            column->kind != TF_COLUMN_TEXT && column->kind != TF_COLUMN_STATE && column->kind != TF_COLUMN_TIME;
        bool wraps = column->flags & TF_COLUMN_WRAP;
        int flags = (number ? SCOLS_FL_RIGHT : 0) | (column->flags & TF_COLUMN_SHRINK ? SCOLS_FL_TRUNC : 0) |
                    (wraps ? SCOLS_FL_WRAP : 0);
        struct libscols_column *made = scols_table_new_column(to, header(table, i), 0, flags);
        if (made && wraps) {
            scols_column_set_wrapfunc(made, scols_wrapnl_chunksize, scols_wrapnl_nextchunk, NULL);
            scols_column_set_safechars(made, "\n");
        }
    }
}

static void add_lines(const tf_table *table, struct libscols_table *to, size_t terminal)
{
    char buffer[CELL_MAX], fitting[CELL_MAX];
    size_t width = wrap_width(table, terminal);
    _cleanup_free_ size_t *widths = bson_malloc0((table->width + 1) * sizeof *widths);
    share_width(table, terminal, widths);
    for (size_t r = 0; r < table->rows; r++) {
        struct libscols_line *line = scols_table_new_line(to, NULL);
        for (size_t i = 0; line && i < table->width; i++) {
            const tf_cell *cell = &table->cells[r * table->width + i];
            const char *text = cell_text(cell, table->columns[i].kind, buffer);
            if (table->columns[i].flags & TF_COLUMN_SHRINK) {
                snprintf(fitting, sizeof fitting, "%s", text);
                cut(fitting, widths[i]);
                scols_line_set_data(line, i, fitting);
            } else if (table->columns[i].flags & TF_COLUMN_WRAP)
                scols_line_refer_data(line, i, wrapped(text, width));
            else
                scols_line_set_data(line, i, text);
            const char *color = table->columns[i].kind == TF_COLUMN_STATE ? state_color(text) : NULL;
            if (color)
                scols_cell_set_color(scols_line_get_cell(line, i), color);
        }
    }
}

/* What fits no window stands one field a line, a row below the other. */
static void print_stacked(const tf_table *table, FILE *out, size_t terminal)
{
    char buffer[CELL_MAX];
    size_t labels = 0;
    for (size_t i = 0; i < table->width; i++) {
        size_t width = tf_text_width(header(table, i));
        labels = width > labels ? width : labels;
    }
    for (size_t r = 0; r < table->rows; r++) {
        if (r)
            fputc('\n', out);
        for (size_t i = 0; i < table->width; i++) {
            const char *label = header(table, i), *text = cell_text(&table->cells[r * table->width + i], table->columns[i].kind, buffer);
            if (!*text)
                continue;
            size_t indent = labels + strlen(GAP);
            fprintf(out, "%s%*s", label, (int)(indent - tf_text_width(label)), "");
            tf_text_wrap(out, text, indent, indent, terminal);
        }
    }
}

static bool fits(const tf_table *table, size_t terminal)
{
    _cleanup_free_ size_t *widths = bson_malloc0((table->width + 1) * sizeof *widths);
    return table->flags & TF_TABLE_NO_HEADER || share_width(table, terminal, widths) <= terminal;
}

void tf_table_print(const tf_table *table, FILE *out)
{
    if (table->rows == 0)
        return;
    tf_terminal terminal = tf_terminal_of(out);
    if (!fits(table, terminal.width)) {
        print_stacked(table, out, terminal.width);
        return;
    }
    struct libscols_table *text = scols_new_table();
    if (!text)
        return;
    scols_table_set_stream(text, out);
    scols_table_set_column_separator(text, GAP);
    scols_table_enable_noheadings(text, (table->flags & TF_TABLE_NO_HEADER) != 0);
    scols_table_enable_colors(text, terminal.color);
    scols_table_enable_ascii(text, !terminal.utf8);
    scols_table_set_termforce(text, SCOLS_TERMFORCE_ALWAYS);
    scols_table_set_termwidth(text, terminal.width);
    add_columns(table, text);
    add_lines(table, text, terminal.width);
    scols_print_table(text);
    scols_unref_table(text);
}

/* ---- BSON ---- */

static void append_cell(bson_t *row, const tf_column *column, const tf_cell *cell)
{
    if (cell->type == TF_CELL_IS_NONE)
        BSON_APPEND_NULL(row, column->name);
    else if (cell->type == TF_CELL_IS_TEXT)
        BSON_APPEND_UTF8(row, column->name, cell->text);
    else if (column->kind == TF_COLUMN_TIME)
        BSON_APPEND_DATE_TIME(row, column->name, cell->number);
    else
        BSON_APPEND_INT64(row, column->name, cell->number);
}

void tf_table_append(const tf_table *table, bson_t *to, const char *key)
{
    bson_t array, row;
    BSON_APPEND_ARRAY_BEGIN(to, key, &array);
    for (size_t r = 0; r < table->rows; r++) {
        char buffer[16];
        const char *index = NULL;
        bson_uint32_to_string((uint32_t)r, &index, buffer, sizeof buffer);
        BSON_APPEND_DOCUMENT_BEGIN(&array, index, &row);
        for (size_t i = 0; i < table->width; i++)
            append_cell(&row, &table->columns[i], &table->cells[r * table->width + i]);
        bson_append_document_end(&array, &row);
    }
    bson_append_array_end(to, &array);
}
