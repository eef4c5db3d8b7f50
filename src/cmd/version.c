#include "cmd/version.h"

#include <mongoc/mongoc.h>

#include "cmd/commands.h"
#include "report/output.h"

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

#ifdef TF_FAILPOINTS
#define FAILPOINTS true
#else
#define FAILPOINTS false
#endif

const char *tf_version(void)
{
    return TF_VERSION;
}

int tf_version_print(bool json)
{
    if (!json) {
        printf("tokenfix %s\nlibmongoc %s (compiled against %s)\nbuild %s, %s%s\n", tf_version(), mongoc_get_version(),
               MONGOC_VERSION_S, TF_BUILD_TYPE, COMPILER, FAILPOINTS ? ", with failpoints: for tests only" : "");
        return 0;
    }
    bson_t data = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&data, "tokenfix", tf_version());
    BSON_APPEND_UTF8(&data, "driver", mongoc_get_version());
    BSON_APPEND_UTF8(&data, "driverHeaders", MONGOC_VERSION_S);
    BSON_APPEND_UTF8(&data, "build", TF_BUILD_TYPE);
    BSON_APPEND_UTF8(&data, "compiler", COMPILER);
    BSON_APPEND_BOOL(&data, "failpoints", FAILPOINTS);
    tf_output_success(&data);
    bson_destroy(&data);
    return 0;
}

static int run(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    (void)args, (void)argc, (void)argv;
    return tf_version_print(globals->json);
}

const tf_command tf_cmd_version = {
    .name = "version",
    .synopsis = "",
    .summary = "Show the versions of the tool, the driver and the build",
    .flags = TF_CMD_NO_DATABASE,
    .exits = "012",
    .run = run,
};
