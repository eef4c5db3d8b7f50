/* systemd's journal, over its own socket, as sd_journal_send(3) writes to it. Like base/service.h it needs no library. */
#ifndef TF_BASE_JOURNAL_H
#define TF_BASE_JOURNAL_H

#include <stdbool.h>
#include <tokenfix/bson.h>

/* Whether standard error is connected to it: systemd tells services by JOURNAL_STREAM which file that is. */
bool tf_journal_is_stderr(void);

/* Sends a message of a priority (3 error … 7 debug) and fields: strings and integers, whose names become TOKENFIX_DATABASE from
 * "database". Texts are without line ends. False where nobody listens. TOKENFIX_JOURNAL_SOCKET names another socket. */
bool tf_journal_send(int priority, const char *message, const bson_t *fields);

#endif
