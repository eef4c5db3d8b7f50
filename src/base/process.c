#include "base/process.h"

#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TF_SANITIZED 1
#endif
#endif

/* A socket that became descriptor 1 would receive our output. /dev/null opened for reading makes writes fail, so that
 * a closed standard output is still an error. */
static void open_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", O_RDONLY) == -1)
            _exit(1);
}

void tf_process_setup(void)
{
    open_standard_descriptors();
    setrlimit(RLIMIT_CORE, &(struct rlimit){0});
#if !defined(TF_FAILPOINTS) && !defined(__SANITIZE_ADDRESS__) && !defined(TF_SANITIZED)
    prctl(PR_SET_DUMPABLE, 0);
#endif
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit of the file's size is a full disk: a write that fails, not the end in the middle of a run */
    signal(SIGCHLD, SIG_DFL); /* ignored, which is inherited, nobody's exit status would be known */
    setlocale(LC_CTYPE, "");
}
