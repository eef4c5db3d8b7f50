/* A file that holds a secret in its first line. */
#ifndef TF_CMD_SECRET_FILE_H
#define TF_CMD_SECRET_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <tokenfix/error.h>

/* Reads the first line, without blanks around it, into `out`. `what` it is, for hints: "the connection string". TF_ERR_USAGE: it
 * cannot be read, is empty, too long, no file or pipe, or others than its owner may read it; but a file of root's may be readable
 * by its group for whoever is not root himself: that is how services (Kubernetes: fsGroup) are given theirs. */
bool tf_secret_file_read(const char *path, const char *what, char *out, size_t size, tf_error *err);

/* Reads all of it, fewer than `size` bytes; *length are filled. As above, but that it may be empty. */
bool tf_secret_file_read_all(const char *path, char *out, size_t size, size_t *length, tf_error *err);

#endif
