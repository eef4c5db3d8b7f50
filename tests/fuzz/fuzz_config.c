/*
 * The configuration file: the input is its text. What is accepted fills the options of every command with values that are in
 * range; what is refused says why.
 */
#include "fuzz/fuzz.h"

#include "cmd/commands.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <tokenfix/cleanup.h>
#include <unistd.h>

static const tf_command *const commands[] = {&tf_cmd_status, &tf_cmd_preview, &tf_cmd_validate, &tf_cmd_up,
                                             &tf_cmd_verify, &tf_cmd_down,    &tf_cmd_history,  &tf_cmd_audit,    NULL};

static void check_values(const tf_options *options, const tf_option *table)
{
    for (const tf_option *row = table; row && row->name; row++) {
        const void *at = (const char *)options->args + row->offset;
        if (tf_options_source(options, row->name) != TF_SOURCE_CONFIG)
            continue;
        FUZZ_CHECK(!row->by_hand);
        if (row->kind == TF_OPT_INT || row->kind == TF_OPT_SIZE || row->kind == TF_OPT_DURATION)
            FUZZ_CHECK(*(const int64_t *)at >= row->min && *(const int64_t *)at <= row->max);
        if (row->kind == TF_OPT_STRING)
            FUZZ_CHECK(*(const char *const *)at && !strchr(*(const char *const *)at, '\n'));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int fd = memfd_create("config", MFD_CLOEXEC);
    FUZZ_CHECK(fd >= 0 && fchmod(fd, 0600) == 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    for (size_t i = 0; commands[i]; i++) {
        char *argv[] = {(char[]){"tokenfix"}, (char[]){"--config"}, path, NULL, (char[]){"--profile"}, (char[]){"s"}, NULL}, name[32];
        int argc = i % 2 ? 6 : 4; /* with and without a profile */
        snprintf(name, sizeof name, "%s", commands[i]->name);
        argv[3] = name;
        tf_invocation in = {0};
        tf_error err = {0};
        bool good = tf_command_parse(commands, argc, argv, &in, &err);
        FUZZ_CHECK(good == (err.code == TF_ERR_OK));
        FUZZ_CHECK(good || (err.message[0] && tf_error_exit(err.code) == 2));
        if (good) {
            check_values(&in.global_options, tf_global_options);
            check_values(&in.command_options, commands[i]->options);
        }
        tf_invocation_done(&in);
    }
    close(fd);
    return 0;
}
