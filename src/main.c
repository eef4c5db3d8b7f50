#include "cmd/commands.h"
#include "cmd/dispatch.h"

static const tf_command *const commands[] = {
    &tf_cmd_status,
    &tf_cmd_preview,
    &tf_cmd_balance,
    &tf_cmd_audit,
    &tf_cmd_validate,
    &tf_cmd_up,
    &tf_cmd_verify,
    &tf_cmd_down,
    &tf_cmd_pause,
    &tf_cmd_continue,
    &tf_cmd_cancel,
    &tf_cmd_history,
    &tf_cmd_backup,
    &tf_cmd_ledger,
    &tf_cmd_plan,
    &tf_cmd_create,
    &tf_cmd_config,
    &tf_cmd_sandbox,
    &tf_cmd_help,
    &tf_cmd_version,
    NULL,
};

int main(int argc, char **argv)
{
    return tf_dispatch(commands, argc, argv);
}
