/* What the commands of `backup`, and `up --export`, share. */
#ifndef TF_CMD_BACKUP_H
#define TF_CMD_BACKUP_H

#include "base/command.h"
#include "cmd/session.h"
#include "engine/backup.h"

/* ---- passphrase or key file ---- */

typedef struct tf_secret_args {
    const char *passphrase, *passphrase_file, *key_file;
} tf_secret_args;

/* Rows for a struct with a member `secret`. */
#define TF_BACKUP_SECRET_OPTIONS(type)                                                                                 \
    TF_OPTION_STRING(type, secret.passphrase_file, "passphrase-file",                                                  \
                     "File whose first line is the passphrase; only its owner may read it. Otherwise it is asked for " \
                     "on a terminal.",                                                                                 \
                     .metavar = "FILE", .env = "TOKENFIX_PASSPHRASE_FILE"),                                            \
        TF_OPTION_STRING(type, secret.passphrase, "passphrase", "The passphrase itself.",                              \
                         .env = "TOKENFIX_PASSPHRASE", .secret = true, .no_flag = true),                               \
        TF_OPTION_STRING(type, secret.key_file, "key-file",                                                            \
                         "Instead of a passphrase a file of at least 32 random bytes; only its owner may read it.",    \
                         .metavar = "FILE", .env = "TOKENFIX_KEY_FILE")

/* Reads the passphrase, from file, variable or terminal (`twice`: typed twice), or the key file. NULL with *err: USAGE. */
tf_cipher_secret *tf_backup_secret_read(const tf_secret_args *args, bool twice, tf_error *err);

/* The same where the set is encrypted: *out stays NULL where it is not. */
bool tf_backup_secret_for(const tf_secret_args *args, const tf_file_set *set, tf_cipher_secret **out, tf_error *err);

/* ---- export, also of `up` ---- */

typedef struct tf_export_args {
    bool gzip, encrypt;
    const char *dir;
    tf_secret_args secret;
    tf_cipher_secret *key; /* once it was read; free it with tf_export_args_done */
} tf_export_args;

#define TF_EXPORT_FORM_OPTIONS(type)                                                                                   \
    TF_OPTION_FLAG(type, export.gzip, "gzip", "Pack the file, as mongodump --gzip does."),                             \
        TF_OPTION_FLAG(type, export.encrypt, "encrypt",                                                                \
                       "Encrypt the file with a passphrase or a key file: backups hold what can be spent.",            \
                       .env = "TOKENFIX_ENCRYPT"),                                                                     \
        TF_OPTION_STRING(type, export.secret.passphrase_file, "passphrase-file",                                       \
                         "With --encrypt: file whose first line is the passphrase; only its owner may read it. "       \
                         "Otherwise it is asked for on a terminal.",                                                   \
                         .metavar = "FILE", .env = "TOKENFIX_PASSPHRASE_FILE"),                                        \
        TF_OPTION_STRING(type, export.secret.passphrase, "passphrase", "The passphrase itself.",                       \
                         .env = "TOKENFIX_PASSPHRASE", .secret = true, .no_flag = true),                               \
        TF_OPTION_STRING(type, export.secret.key_file, "key-file",                                                     \
                         "With --encrypt, instead of a passphrase: a file of at least 32 random bytes; only its "      \
                         "owner may read it.",                                                                         \
                         .metavar = "FILE", .env = "TOKENFIX_KEY_FILE")

/* Whether the options fit one another, and reads the secret. USAGE. */
bool tf_export_args_read(tf_export_args *args, const tf_globals *globals, tf_error *err);
void tf_export_args_done(tf_export_args *args);

/* What they ask for; borrows from *args. */
void tf_export_args_wanted(const tf_export_args *args, tf_export_wanted *out);

/* Tells what was exported: appended to `out`, printed. */
void tf_export_report_append(const tf_export *done, bson_t *out);
void tf_export_report_print(const tf_export *done);

/* {export: …} where there was one (not NULL). */
void tf_export_report_append_to(const tf_export *done, bson_t *out);

/* Exports a run at the end of the command that made it. */
bool tf_export_after(tf_session *session, const tf_export_args *args, const char *run, tf_export *out, tf_error *err);

/* ---- files ---- */

/* What `word` means: a folder or a file where it has a slash or there is one of that name in `dir`, a run's folder in `dir`, a dump. */
bool tf_backup_open_set(const char *word, const char *dir, tf_file_set *out, tf_error *err);

/* Row of --dir for a struct with a member `dir`. */
#define TF_BACKUP_DIR_OPTION(type)                                                                                     \
    TF_OPTION_STRING(type, dir, "dir", "Where exported backups are looked for.", .fallback = TF_BACKUP_DIR,            \
                     .metavar = "DIR", .env = "TOKENFIX_BACKUP_DIR")

/* Warns where others than its owner can read a file that is not encrypted. */
void tf_backup_warn(const tf_file_set *set);

extern const tf_command tf_cmd_backup_list, tf_cmd_backup_show, tf_cmd_backup_export, tf_cmd_backup_import,
    tf_cmd_backup_verify, tf_cmd_backup_purge;

#endif
