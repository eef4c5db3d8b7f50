#include "cmd/commands.h"
#include "cmd/dispatch.h"

static const tf_command *const commands[] = {
    &tf_cmd_sandbox,
    &tf_cmd_help,
    &tf_cmd_version,
    NULL,
};

int main(int argc, char **argv)
{
    return tf_dispatch(commands, argc, argv);
}
