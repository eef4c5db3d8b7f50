/* ctest's fixture "server": starts or removes the sandbox that the tests share. `test-server start|stop NAME` */
#include "sandbox/sandbox.h"

static int fail(const tf_error *err)
{
    fprintf(stderr, "%s\n%s\n%s\n", err->message, err->detail, err->hint);
    return 1;
}

static void say(const char *text)
{
    fprintf(stderr, "%s\n", text);
}

int main(int argc, char **argv)
{
    static tf_sandbox sandbox;
    tf_sandbox_stopped stopped;
    tf_error err = {0};
    if (argc != 3)
        return 2;
    mongoc_init();
    mongoc_log_set_handler(NULL, NULL);
    bool ok;
    if (strcmp(argv[1], "start") == 0)
        ok = tf_sandbox_start(&(tf_sandbox_options){.name = argv[2], .auth = true, .say = say}, &sandbox, &err);
    else
        ok = tf_sandbox_stop(argv[2], true, &stopped, &err);
    mongoc_cleanup();
    return ok ? 0 : fail(&err);
}
