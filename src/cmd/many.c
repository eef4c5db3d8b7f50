#include "cmd/many.h"

#include "base/clock.h"
#include "base/help.h"
#include "base/stop.h"
#include "base/text.h"
#include "report/log.h"
#include "report/output.h"
#include "report/table.h"

/* The value of --format where the command has one; NULL: none. */
static const char *format_of(const tf_options *options)
{
    for (const tf_option *row = options->table; row && row->name; row++)
        if (strcmp(row->name, "format") == 0)
            return tf_options_value(options, row, 0);
    return NULL;
}

static bool check_format(const char *format, tf_error *err)
{
    if (!format || strcmp(format, "table") == 0 || strcmp(format, "json") == 0)
        return true;
    tf_error_set(err, TF_ERR_USAGE, "--format %s is for one database: what is for several has no such form", format);
    return tf_error_hint(err, "Call it once for each database, or take '--format json'.");
}

static void print_heading(const char *db, size_t i, size_t count)
{
    char line[256];
    snprintf(line, sizeof line, "%sDatabase %s (%zu of %zu)", i ? "\n" : "", TF_WORD(db), i + 1, count);
    puts(line);
    for (const char *c = line + (i ? 1 : 0); *c; c++)
        putchar('=');
    putchar('\n');
    fflush(stdout);
}

/* What became of each, in one place. */
static void print_summary(const tf_strings *dbs, const int *exits, size_t begun)
{
    static const tf_column columns[] = {{"db", "database", TF_COLUMN_TEXT, 0},
                                        {"exit", "exit", TF_COLUMN_COUNT, 0},
                                        {"meaning", "meaning", TF_COLUMN_TEXT, TF_COLUMN_WRAP},
                                        {NULL, NULL, TF_COLUMN_TEXT, 0}};
    _cleanup_(tf_table_freep) tf_table *table = tf_table_new(columns, 0);
    for (size_t i = 0; i < dbs->count; i++) {
        const char *meaning = i < begun ? tf_exit_meaning(exits[i]) : "not begun";
        tf_table_add(table, TF_CELL_TEXT(dbs->items[i]), TF_CELL_NUMBER(exits[i]), TF_CELL_TEXT(meaning ? meaning : ""));
    }
    printf("\nAll %zu databases\n", dbs->count);
    tf_table_print(table, stdout);
}

/* What the signal has left out is interrupted, like what it ended. */
static void skip(const char *db, bool json)
{
    tf_error err = {0};
    tf_output_begin_one(db);
    tf_error_set(&err, TF_ERR_INTERRUPTED, "not begun: a signal came before");
    tf_error_hint(&err, "Call the command again for this database.");
    tf_output_end_one(tf_output_error(&err, NULL, NULL, json));
}

static int run_one(tf_invocation *in, const char *db, bool more)
{
    tf_log_fields fields = {.command = in->command->name};
    int64_t start = tf_clock_ms();
    in->globals.db = db;
    in->globals.more = more;
    tf_output_begin_one(db);
    int status = in->command->run(&in->globals, in->args, in->words_count, in->words);
    fields.ended = true;
    fields.exit = status;
    fields.elapsed_ms = tf_clock_ms() - start;
    tf_log(TF_LOG_INFO, &fields, "'%s' of this database ends with %d", in->command->name, status);
    tf_output_end_one(status);
    return status;
}

int tf_many_run(tf_invocation *in)
{
    const tf_strings *dbs = &in->globals.dbs;
    const char *format = format_of(&in->command_options);
    bool json = format ? strcmp(format, "json") == 0 : in->globals.json;
    tf_error err = {0};
    int first = 0;
    size_t begun = 0;
    if (!check_format(format, &err))
        return tf_output_error(&err, NULL, NULL, json);
    _cleanup_free_ int *exits = bson_malloc0((dbs->count + 1) * sizeof *exits);
    tf_output_begin_many(json);
    for (size_t i = 0; i < dbs->count; i++) {
        bool stopped = tf_stop_level() > 0;
        if (!json && !stopped)
            print_heading(dbs->items[i], i, dbs->count);
        if (stopped)
            skip(dbs->items[i], json);
        exits[i] = stopped ? tf_error_exit(TF_ERR_INTERRUPTED) : run_one(in, dbs->items[i], i + 1 < dbs->count);
        begun += !stopped;
        first = first ? first : exits[i];
    }
    if (!json)
        print_summary(dbs, exits, begun);
    tf_output_end_many(first);
    return first;
}
