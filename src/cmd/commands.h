/* Every command's row; each is defined in the file of its name. main.c lists them. */
#ifndef TF_CMD_COMMANDS_H
#define TF_CMD_COMMANDS_H

#include "base/command.h"

extern const tf_command tf_cmd_status;
extern const tf_command tf_cmd_preview;
extern const tf_command tf_cmd_balance;
extern const tf_command tf_cmd_audit;
extern const tf_command tf_cmd_validate;
extern const tf_command tf_cmd_up;
extern const tf_command tf_cmd_verify;
extern const tf_command tf_cmd_down;
extern const tf_command tf_cmd_pause;
extern const tf_command tf_cmd_continue;
extern const tf_command tf_cmd_cancel;
extern const tf_command tf_cmd_history;
extern const tf_command tf_cmd_backup;
extern const tf_command tf_cmd_ledger;
extern const tf_command tf_cmd_plan;
extern const tf_command tf_cmd_create;
extern const tf_command tf_cmd_config;
extern const tf_command tf_cmd_sandbox;
extern const tf_command tf_cmd_help;
extern const tf_command tf_cmd_version;

#endif
