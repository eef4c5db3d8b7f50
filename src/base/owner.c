#include "base/owner.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <signal.h>
#include <unistd.h>

static void read_boot_id(char *into, size_t size)
{
    into[0] = '\0';
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (!file)
        return;
    if (fgets(into, (int)size, file))
        into[strcspn(into, "\n")] = '\0';
    fclose(file);
}

int64_t tf_process_started(int64_t pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return -1;
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    char *p = strrchr(text, ')'); /* the name may hold spaces and parentheses */
    if (!p)
        return -1;
    p++;
    if (p[0] == ' ' && (p[1] == 'Z' || p[1] == 'X'))
        return -1; /* dead, only not yet reaped */
    for (int field = 3; field < 22; field++) {
        p = strchr(p + 1, ' ');
        if (!p)
            return -1;
    }
    return strtoll(p, NULL, 10);
}

void tf_owner_self(tf_owner *owner)
{
    *owner = (tf_owner){.pid = getpid()};
    snprintf(owner->id, sizeof owner->id, "%016" PRIx64 "%016" PRIx64, tf_clock_random(UINT64_MAX),
             tf_clock_random(UINT64_MAX));
    gethostname(owner->host, sizeof owner->host - 1);
    read_boot_id(owner->boot, sizeof owner->boot);
    if (readlink("/proc/self/ns/pid", owner->space, sizeof owner->space - 1) < 0)
        owner->space[0] = '\0';
    owner->started = tf_process_started(owner->pid);
    struct passwd entry, *found = NULL;
    char buffer[4096];
    if (getpwuid_r(getuid(), &entry, buffer, sizeof buffer, &found) == 0 && found)
        snprintf(owner->user, sizeof owner->user, "%s", found->pw_name);
    else
        snprintf(owner->user, sizeof owner->user, "uid %u", (unsigned)getuid());
}

bool tf_owner_is_gone(const tf_owner *owner)
{
    tf_owner self;
    tf_owner_self(&self);
    if (owner->pid <= 0 || strcmp(owner->host, self.host) != 0)
        return false;
    if (owner->boot[0] && self.boot[0] && strcmp(owner->boot, self.boot) != 0)
        return true; /* the machine was started again since */
    if (strcmp(owner->space, self.space) != 0)
        return false; /* its pid says nothing here */
    if (kill((pid_t)owner->pid, 0) != 0 && errno == ESRCH)
        return true;
    int64_t started = tf_process_started(owner->pid);
    return started < 0 || (owner->started > 0 && started != owner->started);
}
