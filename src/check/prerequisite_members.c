#include "check/prerequisite.h"

#include <inttypes.h>

enum { LAG_MS = 2000, SKEW_MS = 1000 };

static const char monitor_hint[] = "A user with the role of 'tokenfix validate --print-role=monitor' sees the members.";

static void judge_visible(const tf_members *members, tf_prerequisite_list *list)
{
    if (members->unhealthy)
        tf_prerequisite_warn(list, "lag", "Bring it back first: every write waits for a majority of the members.",
                             "%d member%s not in working order, one is %s", members->unhealthy,
                             members->unhealthy == 1 ? "" : "s", members->unhealthy_name);
    else if (members->max_lag_ms > LAG_MS)
        tf_prerequisite_warn(list, "lag", "Find out what holds it up; wait until it has caught up.",
                             "%s is %" PRId64 " s behind the primary", members->slowest, members->max_lag_ms / 1000);
    else if (members->secondaries)
        tf_prerequisite_ok(list, "lag", "%d secondar%s, at most %" PRId64 " ms behind", members->secondaries,
                           members->secondaries == 1 ? "y" : "ies", members->max_lag_ms);
    else
        tf_prerequisite_ok(list, "lag", "one member, nothing to wait for");
}

void tf_prerequisite_lag(const tf_facts *facts, const tf_members *members, tf_prerequisite_list *list)
{
    if (facts->sharded)
        tf_prerequisite_warn(list, "lag", "Look at each shard.",
                             "a sharded cluster does not tell how far its members are");
    else if (!facts->set_name[0])
        tf_prerequisite_ok(list, "lag", "a standalone server has no other members");
    else if (members->majority_known && !members->majority_reached)
        tf_prerequisite_warn(
            list, "lag", "Every batch waits for the majority: bring the members that are down or behind back first.",
            "the majority has not followed for more than %" PRId64 " ms", members->majority_lag_ms);
    else if (members->majority_known && members->majority_lag_ms > LAG_MS)
        tf_prerequisite_warn(list, "lag", "Every batch waits for the majority: wait until the members have caught up.",
                             "the majority is %" PRId64 " ms behind", members->majority_lag_ms);
    else if (members->visible)
        judge_visible(members, list);
    else
        tf_prerequisite_warn(list, "lag", monitor_hint,
                             "the majority keeps up; the single members are not visible with "
                             "these privileges");
}

void tf_prerequisite_clock(const tf_members *members, tf_prerequisite_list *list)
{
    int64_t offset = members->clock_offset_ms < 0 ? -members->clock_offset_ms : members->clock_offset_ms;
    if (members->clocks == 0)
        tf_prerequisite_warn(list, "clock", NULL, "the server does not tell its time");
    else if (members->clock_spread_ms - members->clock_doubt_ms > SKEW_MS)
        tf_prerequisite_warn(list, "clock",
                             "Set up time synchronisation on all members: a failover would shift the times.",
                             "the members' clocks differ by %" PRId64 " ms", members->clock_spread_ms);
    else if (offset - members->clock_doubt_ms > SKEW_MS)
        tf_prerequisite_warn(list, "clock",
                             "Set up time synchronisation. Leases go by the server's clock and are not affected.",
                             "the server's clock is %" PRId64 " ms %s this machine's", offset,
                             members->clock_offset_ms > 0 ? "ahead of" : "behind");
    else if (members->clocks > 1)
        tf_prerequisite_ok(list, "clock", "this machine and %d members agree within %" PRId64 " ms", members->clocks,
                           (offset > members->clock_spread_ms ? offset : members->clock_spread_ms) +
                               members->clock_doubt_ms);
    else
        tf_prerequisite_ok(list, "clock", "this machine and the server agree within %" PRId64 " ms",
                           offset + members->clock_doubt_ms);
}

bool tf_prerequisite_members(const tf_prerequisite_input *input, tf_prerequisite_list *list, tf_error *err)
{
    tf_members members = {0};
    tf_error one = {0};
    if (!tf_members_read(input->client->client, &members, &one))
        return tf_prerequisite_unseen(list, "lag", &one, err);
    tf_prerequisite_lag(&input->client->facts, &members, list);
    tf_prerequisite_clock(&members, list);
    return true;
}
