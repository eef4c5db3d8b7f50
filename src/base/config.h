/*
 * The configuration file, INI: `key = value`, keys are the names of options (alert-repeat and alert_repeat are the same), a list
 * has a line for each item. Lines that begin with ; or # are comments. What stands above all sections holds always; a section is a
 * profile: with `--profile prod` the keys of [prod] hold too, and take the place of those above. The others' keys are checked as well.
 *
 * Who can write the file decides what the program does (it names commands to be run) and where it connects to: it belongs to
 * its reader or to root, and only they may write it. Where it holds a secret others may not read it either; but a file of
 * root's may be readable by its group, which is how services are given secrets.
 */
#ifndef TF_BASE_CONFIG_H
#define TF_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <tokenfix/error.h>

#include "base/option.h"

typedef struct tf_config_profile {
    char *name;
    int line;
} tf_config_profile;

typedef struct tf_config_entry {
    char *name;  /* with - for _ */
    char *value; /* wiped once a secret option has taken it */
    int line;
    int profile; /* index of its profile; -1: it holds always */
} tf_config_entry;

/* Zero-initialise, free with tf_config_done. Options that were filled from it borrow its values. */
typedef struct tf_config {
    char *path; /* NULL: there is none */
    mode_t mode;
    uid_t owner;
    tf_config_entry *entries;
    size_t count;
    tf_config_profile *profiles; /* in the order of the file */
    size_t profiles_count;
    int chosen; /* index of the profile that holds; -1: none */
} tf_config;

/* Reads the file `given`, or without one the first that is there of $XDG_CONFIG_HOME/tokenfix/tokenfix.conf (~/.config) and
 * /etc/tokenfix/tokenfix.conf; none is no failure, unless a profile is asked for (NULL: none is). USAGE: it cannot be read, is
 * malformed, or others may write it; NOT_FOUND: it has no such profile, with the nearest name. */
bool tf_config_read(const char *given, const char *profile, tf_config *out, tf_error *err);
void tf_config_done(tf_config *config);

/* The n-th of the places where it is looked for without a name; "" where that one cannot be named, false behind the last. */
bool tf_config_place(size_t n, char *out, size_t size);

/* The entries that hold for an option, of which a list has several: the first, and the one behind `after`; NULL behind the last. */
const tf_config_entry *tf_config_find(const tf_config *config, const char *name, const tf_config_entry *after);

/* Whether every key is the name of an option in one of the tables that a file may set, and nobody else can read a secret.
 * NOT_FOUND with the nearest name, USAGE; both name file and line. */
bool tf_config_check(const tf_config *config, const tf_option *const *tables, size_t count, tf_error *err);

/* Sets the options that the file has a key for, below flags and environment. *applied becomes true where it had one. USAGE
 * names file and line. */
bool tf_config_apply(tf_config *config, tf_options *options, bool *applied, tf_error *err);

/* Whether both say the same of the options (but for secrets, which are not kept). */
bool tf_config_same(const tf_config *one, const tf_config *other, const tf_options *options);

#endif
