/* Text from outside (arguments, server messages, field values) made fit for a terminal, and words wrapped to a width. */
#ifndef TF_BASE_TEXT_H
#define TF_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Length of the valid UTF-8 sequence at `text` (1 to 4; *codepoint may be NULL), 0 where there is none. A NUL byte is a
 * sequence of one. Surrogates and overlong forms are invalid. */
size_t tf_utf8_next(const char *text, size_t length, uint32_t *codepoint);

/* Copies `text` into `out` so that a terminal shows it as it is: line ends become blanks, control characters and
 * invalid UTF-8 become '?'. What does not fit ends with "...". Returns `out`. `size` is at least 4. */
const char *tf_text_clean(const char *text, char *out, size_t size);

/* Whether `text` is the other, or begins with it, but for the case of the letters A to Z. (strcasecmp asks the locale, and
 * in a Turkish one PRIVKEY is not privkey.) */
bool tf_text_same(const char *text, const char *other);
bool tf_text_begins(const char *text, const char *beginning);

/* A word as it is shown in a message: cleaned and cut; lives as long as the enclosing block. */
#define TF_WORD(text) tf_text_clean((text), (char[72]){0}, 72)

/* Number of characters (not bytes) in `text`. */
size_t tf_text_width(const char *text);

/* Prints `text` wrapped at `width`, the cursor standing at `column`; further lines are indented by `indent`. A line end
 * in the text is kept. Ends with a line end. */
void tf_text_wrap(FILE *out, const char *text, size_t column, size_t indent, size_t width);

/* open_memstream; where memory has run out it ends the process, as libbson does. */
FILE *tf_text_stream(char **text, size_t *size);

#endif
