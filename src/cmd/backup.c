/* `tokenfix backup`: the backups of the runs, in the state database and as files. */
#include "cmd/backup.h"

#include <unistd.h>

#include "base/text.h"
#include "cmd/commands.h"
#include "report/output.h"

bool tf_backup_open_set(const char *word, const char *dir, tf_file_set *out, tf_error *err)
{
    tf_error one = {0};
    char path[TF_FILE_PATH];
    snprintf(path, sizeof path, "%s/%s", dir, word);
    bool named = strchr(word, '/') || access(path, F_OK) != 0; /* a folder itself, or a run in `dir` */
    if (tf_file_set_open(named ? word : path, NULL, out, &one))
        return true;
    tf_error as_dump = {0};
    if (one.code == TF_ERR_NOT_FOUND || (one.code == TF_ERR_USAGE && strstr(word, ".bson")))
        if (tf_file_set_open_dump(named ? word : path, out, &as_dump))
            return true;
    *err = as_dump.code == TF_ERR_USAGE || as_dump.code == TF_ERR_SYSTEM ? as_dump : one;
    if (one.code != TF_ERR_NOT_FOUND || as_dump.code != TF_ERR_NOT_FOUND)
        return false;
    tf_error_clear(err);
    tf_error_set(err, TF_ERR_NOT_FOUND, "there is no exported backup '%s', neither here nor in '%s'", TF_WORD(word),
                 TF_WORD(dir));
    return tf_error_hint(
        err, "Name its folder, or the folder where it is (--dir); 'tokenfix backup list --files' shows what is there.");
}

void tf_backup_warn(const tf_file_set *set)
{
    if (!set->encrypted && tf_file_set_is_open_to_others(set))
        tf_output_warning("others than its owner can read '%s/%s', and spend what it holds: chmod 600",
                          TF_WORD(set->path), TF_WORD(set->data));
}

static const tf_command *const subcommands[] = {
    &tf_cmd_backup_list,
    &tf_cmd_backup_show,
    &tf_cmd_backup_export,
    &tf_cmd_backup_import,
    &tf_cmd_backup_verify,
    &tf_cmd_backup_purge,
    NULL,
};

const tf_command tf_cmd_backup = {
    .name = "backup",
    .synopsis = "",
    .summary = "Backups of the runs: list, export into files, bring back, purge",
    .description = "What a run changed is kept as it was before, in a collection of the state database. 'export' "
                   "writes it into files that "
                   "mongorestore reads, too; 'import' brings it back when the collection was lost, so that 'down' "
                   "works. Backups hold what "
                   "can be spent: whoever reads a proof can.",
    .exits = "01234578",
    .subcommands = subcommands,
};
