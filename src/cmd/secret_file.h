/* A file that holds a secret in its first line. */
#ifndef TF_CMD_SECRET_FILE_H
#define TF_CMD_SECRET_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <tokenfix/error.h>

/* Reads the first line, without blanks around it, into `out`. TF_ERR_USAGE: it cannot be read, is empty, too long, no
 * file or pipe, or others than its owner may read it. */
bool tf_secret_file_read(const char *path, char *out, size_t size, tf_error *err);

#endif
