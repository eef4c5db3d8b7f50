/*
 * A command that is run for every message: by /bin/sh, with the JSON on its standard input, its output on our standard error,
 * and in its environment (of ours without TOKENFIX_…):
 *
 *   TOKENFIX_ALERT_EVENT, _ID, _NAME, _SEVERITY, _SUMMARY, _TEXT, _DATABASE, _DELIVERY
 *
 * It is a process group of its own. When it takes too long the group gets SIGTERM, and a second later SIGKILL;
 * at the end of the program, which waits no longer, a quarter of that later.
 */
#ifndef TF_NOTIFY_COMMAND_H
#define TF_NOTIFY_COMMAND_H

#include <stdatomic.h>
#include <tokenfix/error.h>

#include "notify/message.h"

typedef struct tf_alert_command {
    char *line;
    int64_t limit_ms;
} tf_alert_command;

/* Copies the line. Free with tf_alert_command_free. */
tf_alert_command *tf_alert_command_new(const char *line, int64_t limit_ms);
void tf_alert_command_free(void *command);

/* A tf_deliver; `command` is a tf_alert_command. Delivered is what ends with status 0. */
bool tf_alert_command_run(void *command, const tf_message *message, const atomic_bool *cancelled, tf_error *err);

#endif
