#include "base/owner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* An owner like this process, but one that has ended. */
static tf_owner ended(void)
{
    tf_owner owner;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    tf_owner_self(&owner);
    owner.pid = child;
    return owner;
}

static void owner__that_lives_is_not_gone(void **state)
{
    (void)state;
    tf_owner self;
    tf_owner_self(&self);
    assert_false(tf_owner_is_gone(&self));
}

static void owner__that_ended_on_this_host_is_gone(void **state)
{
    (void)state;
    tf_owner owner = ended();
    assert_true(tf_owner_is_gone(&owner));
}

static void owner__with_a_pid_that_was_given_again_is_gone(void **state)
{
    (void)state;
    tf_owner self;
    tf_owner_self(&self);
    self.started--;
    assert_true(tf_owner_is_gone(&self));
}

static void owner__from_before_a_reboot_is_gone(void **state)
{
    (void)state;
    tf_owner self;
    tf_owner_self(&self);
    snprintf(self.boot, sizeof self.boot, "another");
    assert_true(tf_owner_is_gone(&self));
}

static void owner__elsewhere_may_live(void **state)
{
    (void)state;
    tf_owner host = ended(), space = host;
    snprintf(host.host, sizeof host.host, "another.host");
    assert_false(tf_owner_is_gone(&host));
    snprintf(space.space, sizeof space.space, "pid:[1]"); /* another container of the same name */
    assert_false(tf_owner_is_gone(&space));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(owner__that_lives_is_not_gone),
        cmocka_unit_test(owner__that_ended_on_this_host_is_gone),
        cmocka_unit_test(owner__with_a_pid_that_was_given_again_is_gone),
        cmocka_unit_test(owner__from_before_a_reboot_is_gone),
        cmocka_unit_test(owner__elsewhere_may_live),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
