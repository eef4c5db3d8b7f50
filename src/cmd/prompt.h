/* Questions to the person at the terminal. */
#ifndef TF_CMD_PROMPT_H
#define TF_CMD_PROMPT_H

#include <stdbool.h>
#include <stddef.h>

/* Asks on the controlling terminal, or on standard input where that is one, and fills `answer` without its line end.
 * Without `echo` what is typed is not shown. False: no terminal, end of input, or interrupted; `answer` is empty then. */
bool tf_prompt(const char *question, bool echo, char *answer, size_t size);

#endif
