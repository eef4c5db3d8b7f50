/* The options of `up` and `down` that keep a run friendly to the application beside it. */
#ifndef TF_CMD_MANNERS_H
#define TF_CMD_MANNERS_H

#include "base/option.h"
#include "engine/engine.h"

enum { TF_MANNERS_LIMITS = 16 };

typedef struct tf_manners_args {
    double batch_time, max_lag, nice; /* seconds, seconds, times */
    const char *pause_file;
    tf_strings max_load, critical_load;
    tf_load_limit loads[TF_MANNERS_LIMITS], criticals[TF_MANNERS_LIMITS]; /* as read */
} tf_manners_args;

/* Rows for a struct with a member `manners`. */
#define TF_MANNERS_OPTIONS(type)                                                                                       \
    TF_OPTION_DOUBLE(type, manners.batch_time, "batch-time", 0, 600,                                                   \
                     "Cut batches so that each takes about so long; 0: as large as they may be.", .fallback = "0.5",   \
                     .metavar = "SECONDS", .env = "TOKENFIX_BATCH_TIME"),                                              \
        TF_OPTION_DOUBLE(type, manners.max_lag, "max-lag", 0, 86400,                                                   \
                         "Pause while the majority of the replica set, or (where replSetGetStatus is allowed) a "      \
                         "member, is further behind; 0: never.",                                                       \
                         .fallback = "2", .metavar = "SECONDS", .env = "TOKENFIX_MAX_LAG"),                            \
        TF_OPTION_LIST(type, manners.max_load, "max-load",                                                             \
                       "Pause while the number at PATH of serverStatus is LIMIT or more; may be repeated.",            \
                       .metavar = "PATH=LIMIT"),                                                                       \
        TF_OPTION_LIST(type, manners.critical_load, "critical-load",                                                   \
                       "Stop, so that --resume goes on, when the number at PATH is LIMIT or more; may be repeated.",   \
                       .metavar = "PATH=LIMIT"),                                                                       \
        TF_OPTION_DOUBLE(type, manners.nice, "nice", 0, 1000,                                                          \
                         "Rest after each batch, so many times as long as it took.", .metavar = "TIMES",               \
                         .env = "TOKENFIX_NICE"),                                                                      \
        TF_OPTION_STRING(type, manners.pause_file, "pause-file", "Pause while this file exists.", .metavar = "FILE",   \
                         .env = "TOKENFIX_PAUSE_FILE")

/* Reads the limits and fills settings->manners, which borrows from *args. USAGE. */
bool tf_manners_read(tf_manners_args *args, tf_settings *settings, tf_error *err);

#endif
