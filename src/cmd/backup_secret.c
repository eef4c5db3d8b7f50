/* The passphrase or the key file of an encrypted backup. */
#include "cmd/backup.h"

#include <openssl/crypto.h>

#include "cmd/prompt.h"
#include "cmd/secret_file.h"

enum { PASSPHRASE_MAX = 1024, KEY_MAX = 65536 };

static tf_cipher_secret *read_key(const char *path, tf_error *err)
{
    char *bytes = bson_malloc(KEY_MAX);
    size_t length = 0;
    tf_cipher_secret *secret = NULL;
    if (tf_secret_file_read_all(path, bytes, KEY_MAX, &length, err))
        secret = tf_cipher_secret_new(false, bytes, length, err);
    OPENSSL_cleanse(bytes, KEY_MAX);
    bson_free(bytes);
    return secret;
}

static bool type(bool twice, char *out, size_t size, tf_error *err)
{
    char again[PASSPHRASE_MAX];
    if (!tf_prompt("Passphrase of the backup: ", false, out, size) || !*out) {
        tf_error_set(err, TF_ERR_USAGE, "no passphrase was given");
        return tf_error_hint(err, "Type it on a terminal, or name a file: --passphrase-file or --key-file.");
    }
    bool same = !twice || (tf_prompt("The same again: ", false, again, sizeof again) && strcmp(out, again) == 0);
    OPENSSL_cleanse(again, sizeof again);
    return same || tf_error_set(err, TF_ERR_USAGE, "the two passphrases are not the same");
}

tf_cipher_secret *tf_backup_secret_read(const tf_secret_args *args, bool twice, tf_error *err)
{
    char text[PASSPHRASE_MAX] = "";
    tf_cipher_secret *secret = NULL;
    if (args->key_file && args->passphrase_file) {
        tf_error_set(err, TF_ERR_USAGE, "option '--key-file' contradicts '--passphrase-file'");
        return NULL;
    }
    if (args->key_file)
        return read_key(args->key_file, err);
    bool ok = true;
    if (args->passphrase_file)
        ok = tf_secret_file_read(args->passphrase_file, "the passphrase", text, sizeof text, err);
    else if (args->passphrase && *args->passphrase)
        ok = strlen(args->passphrase) < sizeof text ? snprintf(text, sizeof text, "%s", args->passphrase) > 0
                                                    : tf_error_set(err, TF_ERR_USAGE, "the passphrase is too long");
    else
        ok = type(twice, text, sizeof text, err);
    if (ok)
        secret = tf_cipher_secret_new(true, text, strlen(text), err);
    OPENSSL_cleanse(text, sizeof text);
    return secret;
}

bool tf_backup_secret_for(const tf_secret_args *args, const tf_file_set *set, tf_cipher_secret **out, tf_error *err)
{
    return !set->encrypted || tf_file_set_is_purged(set) || (*out = tf_backup_secret_read(args, false, err)) != NULL;
}
