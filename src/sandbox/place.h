/* Where things lie on disk: the state and cache folders, and writing a file so that it is there whole or not at all. */
#ifndef TF_SANDBOX_PLACE_H
#define TF_SANDBOX_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <tokenfix/error.h>

/* ${XDG_STATE_HOME:-~/.local/state}/tokenfix[/name] and ${XDG_CACHE_HOME:-~/.cache}/tokenfix[/name]; name may be NULL.
 * False when there is no home or the path does not fit. */
bool tf_place_state(const char *name, char *out, size_t size, tf_error *err);
bool tf_place_cache(const char *name, char *out, size_t size, tf_error *err);

/* Joins two parts with a slash; false when they do not fit. */
bool tf_place_join(const char *folder, const char *name, char *out, size_t size, tf_error *err);

/* Makes a folder and those above it; what it makes is 0700. */
bool tf_place_make(const char *path, tf_error *err);

/* Deletes a folder and all within, following no link; a folder that is not there is no error. */
bool tf_place_remove(const char *path, tf_error *err);

/* Writes a file of mode 0600: a temporary name, fsync, rename. */
bool tf_place_write(const char *path, const char *text, size_t size, tf_error *err);

/* Reads a whole file, at most 1 MiB, with a zero behind it; the caller frees. NULL on failure. */
char *tf_place_read(const char *path, size_t *size, tf_error *err);

#endif
