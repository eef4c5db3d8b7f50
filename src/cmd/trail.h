/* What `history` does with the audit trail as a whole: examine it, write it into a file, archive it, list it, make a key. */
#ifndef TF_CMD_TRAIL_H
#define TF_CMD_TRAIL_H

#include "base/command.h"

typedef struct tf_trail_args {
    bool verify, events, confirm, yes;
    tf_strings public_keys;
    const char *head, *file, *export_to, *archive, *older_than, *make_key;
    int64_t limit, offset; /* of --events */
} tf_trail_args;

/* Rows for a struct with a member `trail`. */
#define TF_TRAIL_OPTIONS(type)                                                                                         \
    TF_OPTION_FLAG(type, trail.events, "events", "List the events of the audit trail, the newest first."),             \
        TF_OPTION_FLAG(type, trail.verify, "verify",                                                                   \
                       "Walk the whole audit trail and name the first event that is not as it was written."),          \
        TF_OPTION_LIST(type, trail.public_keys, "public-key",                                                          \
                       "With --verify: check the signatures with this key; may be repeated.", .metavar = "FILE"),      \
        TF_OPTION_STRING(type, trail.head, "head",                                                                     \
                         "With --verify: the trail must hold this event, which was written down elsewhere.",           \
                         .single = true, .metavar = "SEQ:HASH"),                                                       \
        TF_OPTION_STRING(type, trail.file, "file",                                                                     \
                         "With --verify: examine a file that --export or --archive wrote, without a server.",          \
                         .single = true, .metavar = "FILE"),                                                           \
        TF_OPTION_STRING(type, trail.export_to, "export", "Write the audit trail into a new file, as JSON lines.",     \
                         .single = true, .metavar = "FILE"),                                                           \
        TF_OPTION_STRING(type, trail.archive, "archive",                                                               \
                         "Write the old part of the audit trail into a new file, then remove it.", .single = true, .metavar = "FILE"), \
        TF_OPTION_STRING(type, trail.older_than, "older-than",                                                         \
                         "With --archive: what is older than this; s, m, h, d, w or y (365 days), as in 90d.",         \
                         .metavar = "AGE"),                                                                            \
        TF_OPTION_STRING(type, trail.make_key, "make-key",                                                             \
                         "Make a key for --sign-key: FILE gets the private, FILE.pub the public half.",                \
                         .single = true, .metavar = "FILE")

/* Whether the options ask for anything of it; USAGE (in *err) where they contradict each other. */
bool tf_trail_wants(const tf_trail_args *args, int words, tf_error *err);

/* Does it; the exit status. */
int tf_trail_command(const tf_globals *globals, const tf_trail_args *args);

#endif
