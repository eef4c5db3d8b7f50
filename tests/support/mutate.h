/* Documents damaged field by field, so that the server still takes them: what a hostile hand or a bug would leave there. */
#ifndef TF_TESTS_MUTATE_H
#define TF_TESTS_MUTATE_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many fields a document has, at all depths. */
size_t tf_mutate_fields(const bson_t *doc);

/* How many ways there are to damage a field, and the name of one. */
size_t tf_mutate_ways(void);
const char *tf_mutate_way(size_t way);

/* Appends to the empty `out` the document with its n-th field (at all depths) damaged in that way. *path (freed by the
 * caller) is where. */
void tf_mutate(const bson_t *doc, size_t field, size_t way, bson_t *out, char **path);

#endif
