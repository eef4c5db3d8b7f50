/* Documents shown to people: what can be spent or abused is hidden. */
#ifndef TF_REPORT_MASK_H
#define TF_REPORT_MASK_H

#include <tokenfix/bson.h>

/* Appends the fields of `doc` to `out` (initialised, empty) with every scalar at or below one of the dotted `paths`
 * (NULL-terminated; NULL for none; elements of arrays count as their array) replaced by "***", and every field whose
 * name says that it is a secret anywhere. Names, arrays and their lengths are kept. Deeper than 256 levels: "***". */
void tf_mask_document(const bson_t *doc, const char *const *paths, bson_t *out);

#endif
