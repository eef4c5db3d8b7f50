/*
 * Folders and the files in them, without following a symbolic link: each component of a path is opened in the one before it, and
 * what was opened stays what it is, whatever becomes of its name. A file appears under its name complete and on disk, or not at all.
 */
#ifndef TF_BASE_DIR_H
#define TF_BASE_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tokenfix/error.h>

/* Opens a folder; `make` creates its last component (mode 700) where it is not there. -1 with *err: NOT_FOUND where there is none
 * of that name, USAGE where a component is a symbolic link or no folder, SYSTEM. */
int tf_dir_open(const char *path, bool make, tf_error *err);

/* Whether nobody but its owner, who is this user or root, may write in it. USAGE, naming `path`, where others may. */
bool tf_dir_is_safe(int dir, const char *path, tf_error *err);

/* Opens a folder in another, likewise. `path` is how messages call `dir`. */
int tf_dir_open_in(int dir, const char *name, const char *path, tf_error *err);

/* Opens a file for reading; only a regular one. -1 with *err: NOT_FOUND, USAGE, SYSTEM. */
int tf_dir_open_file(int dir, const char *name, const char *path, tf_error *err);

/* Creates a new file (mode 600). -1 with *err. */
int tf_dir_create_file(int dir, const char *name, const char *path, tf_error *err);

/* Makes a folder (mode 700) under a name that nobody has, ".NAME.part-RANDOM", and opens it; it is locked as long as it is open, so
 * that others see whether somebody works in it. -1 with *err. */
int tf_dir_make_part(int dir, const char *name, char out[128], const char *path, tf_error *err);

/* Removes what parts of that name others left behind who are gone (no lock). Best effort; returns how many. */
size_t tf_dir_remove_stale(int dir, const char *name);

/* Gives a part its name, unless that is taken (USAGE), and waits until that is on disk. */
bool tf_dir_give_name(int dir, const char *part, const char *name, const char *path, tf_error *err);

/* Waits until what the folder holds is on disk. */
bool tf_dir_sync(int dir, const char *path, tf_error *err);

/* Removes a folder of `dir` and all in it, at most three levels deep. */
bool tf_dir_remove(int dir, const char *name);

/* The names in a folder, sorted, without "." and ".."; free with tf_dir_names_free. NULL with *err. */
char **tf_dir_names(int dir, const char *path, tf_error *err);
void tf_dir_names_free(char **names);

/* close, for a variable that may be -1: `_cleanup_(tf_dir_closep) int fd = -1;` */
void tf_dir_closep(int *fd);

#endif
