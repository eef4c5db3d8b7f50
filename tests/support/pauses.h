/* What holds a run up, seen from outside: until a run is in some state, how long each reason held it, a file to pause it. */
#ifndef TF_TESTS_PAUSES_H
#define TF_TESTS_PAUSES_H

#include "support/fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Waits until a run matches (Extended JSON). */
static inline void tf_pauses_wait_for(tf_fixture *f, const char *filter)
{
    for (int n = 0; n < 1200; n++) {
        if (tf_fixture_count(f, f->state_db, "runs", filter) > 0)
            return;
        usleep(50000);
    }
    fail_msg("no run is ever %s", filter);
}

/* How many milliseconds a run that ended was held up for a reason, by its JSON. */
static inline int64_t tf_pauses_held(const tf_program *p, const char *reason)
{
    for (int i = 0;; i++) {
        char path[64];
        snprintf(path, sizeof path, "data.pauses.%d.reason", i);
        if (!tf_program_has(p, path))
            return 0;
        bool same = strcmp(tf_program_text(p, path), reason) == 0;
        snprintf(path, sizeof path, "data.pauses.%d.ms", i);
        if (same)
            return tf_program_number(p, path);
    }
}

/* For --pause-file: made at once, gone at the end of the block. */
typedef struct tf_pauses_file {
    char *folder, path[256];
} tf_pauses_file;

static inline void tf_pauses_file_done(tf_pauses_file *file)
{
    tf_folder_remove(file->folder);
}

#define TF_PAUSES_FILE _cleanup_(tf_pauses_file_done) tf_pauses_file

static inline void tf_pauses_file_make(tf_pauses_file *file)
{
    file->folder = tf_folder_make();
    snprintf(file->path, sizeof file->path, "%s/pause", file->folder);
    int fd = open(file->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

#endif
