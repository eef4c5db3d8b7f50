/* The lines of an exported trail: what store/trail_file.c writes and trail_reader.c reads. */
#ifndef TF_STORE_TRAIL_LINE_H
#define TF_STORE_TRAIL_LINE_H

#include "store/chain.h"

#define TF_TRAIL_CLOSING "{\"tokenfix\":"

/* An event as its line, with the line end; NULL where it would not come back byte for byte. The caller frees with bson_free. */
char *tf_trail_line(const bson_t *event, size_t *length);

/* The event of a line, whose line end is left out; NULL where it is no JSON. Blanks and digits may be another library's: that no byte
 * is another than was written the closing line says. */
bson_t *tf_trail_line_parse(const char *line, size_t length);

/* The closing line, with its line end. `content`: SHA-256 of all lines before it; `fingerprint` and `signature` NULL: not signed. The
 * caller frees with bson_free. */
char *tf_trail_closing(const tf_chain *chain, const uint8_t content[32], const uint8_t *fingerprint, const uint8_t *signature);

#endif
