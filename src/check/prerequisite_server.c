#include "check/prerequisite.h"

#include "db/operation.h"

#include <inttypes.h>
#include <tokenfix/cleanup.h>

/* What the suite of tests was run on; others from 5.0 on are expected to work. */
static const char tested[] = "6.0.5";
enum { TESTED_MAJOR = 6, TESTED_MINOR = 0, OLDEST_MAJOR = 5 };

/* A batch costs about eight round trips. */
enum { SLOW_ROUND_TRIP_MS = 100 };

static void hosts(const tf_client *client, char *into, size_t size)
{
    size_t count = 0, used = 0;
    mongoc_server_description_t **servers = mongoc_client_get_server_descriptions(client->client, &count);
    into[0] = '\0';
    for (size_t i = 0; i < count && used < size; i++)
        used += (size_t)snprintf(into + used, size - used, "%s%s", i ? ", " : "",
                                 mongoc_server_description_host(servers[i])->host_and_port);
    mongoc_server_descriptions_destroy_all(servers, count);
}

bool tf_prerequisite_connection(const tf_prerequisite_input *input, tf_prerequisite_list *list, tf_error *err)
{
    (void)err;
    const tf_facts *facts = &input->client->facts;
    char where[256] = "";
    if (facts->host[0])
        snprintf(where, sizeof where, "%s", facts->host);
    else
        hosts(input->client, where, sizeof where);
    if (facts->round_trip_ms > SLOW_ROUND_TRIP_MS)
        tf_prerequisite_warn(list, "connection",
                             "Run tokenfix on a host near the server: each batch waits about eight times.",
                             "%s answers in %" PRId64 " ms", where, facts->round_trip_ms);
    else
        tf_prerequisite_ok(list, "connection", "%s answers in %" PRId64 " ms", where, facts->round_trip_ms);
    return true;
}

bool tf_prerequisite_version(const tf_prerequisite_input *input, tf_prerequisite_list *list, tf_error *err)
{
    (void)err;
    const tf_facts *facts = &input->client->facts;
    if (facts->major < OLDEST_MAJOR)
        tf_prerequisite_fail(list, "server_version", TF_ERR_UNSUPPORTED, "Upgrade the server to 5.0 or later first.",
                             "MongoDB %s; the oldest supported is 5.0", facts->version);
    else if (facts->major == TESTED_MAJOR && facts->minor == TESTED_MINOR)
        tf_prerequisite_ok(list, "server_version", "MongoDB %s (tested with %s)", facts->version, tested);
    else
        tf_prerequisite_warn(list, "server_version", "Try the repair on a copy of the data on this version first.",
                             "MongoDB %s; supported, but tested with %s only", facts->version, tested);
    return true;
}

bool tf_prerequisite_topology(const tf_prerequisite_input *input, tf_prerequisite_list *list, tf_error *err)
{
    (void)err;
    const tf_facts *facts = &input->client->facts;
    bool journal = input->strategy && strcmp(input->strategy, "journal") == 0;
    if (facts->sharded)
        tf_prerequisite_warn(list, "topology", "Rehearse it on a copy of the cluster.",
                             "a sharded cluster: the protocol is documented for it, but was never run on one");
    else if (!facts->writable)
        tf_prerequisite_fail(list, "topology", TF_ERR_NOT_WRITABLE,
                             "Connect to the primary: name the replica set in the connection string, without "
                             "directConnection.",
                             "%s takes no writes: it is not the primary", facts->host[0] ? facts->host : "the server");
    else if (facts->transactions)
        tf_prerequisite_ok(list, "topology", "replica set %s, %d member%s", facts->set_name, facts->members,
                           facts->members == 1 ? "" : "s");
    else if (journal)
        tf_prerequisite_warn(list, "topology",
                             "Stop the writers, or make the server a replica set of one node for the full promises.",
                             "a standalone server: the journal strategy works, but promises no exact backup under live "
                             "writers");
    else
        tf_prerequisite_fail(list, "topology", TF_ERR_UNSUPPORTED,
                             "Use --strategy journal, or make the server a replica set of one node.",
                             "a standalone server has no transactions");
    return true;
}

/* ---- the disk ---- */

static int64_t number(const bson_t *doc, const char *key)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, doc, key) ? bson_iter_as_int64(&iter) : -1;
}

static void describe(int64_t bytes, char *into, size_t size)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    double value = (double)bytes;
    for (; value >= 1024 && unit < 4; unit++)
        value /= 1024;
    snprintf(into, size, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

/* Beside the backup the same bytes pass through the journal and the oplog, which make room for themselves. */
static void judge_disk(int64_t free_bytes, int64_t bytes, tf_prerequisite_list *list)
{
    static const char hint[] =
        "Make room on the volume of the state database, or name another database with --state-db.";
    char room[32], need[32];
    describe(free_bytes, room, sizeof room);
    describe(bytes, need, sizeof need);
    if (bytes < 0)
        tf_prerequisite_warn(list, "disk", NULL, "%s free; how much the backup needs is not known", room);
    else if (free_bytes < bytes)
        tf_prerequisite_fail(list, "disk", TF_ERR_NOT_READY, hint, "%s free, the backup needs up to %s", room, need);
    else if (free_bytes / 3 < bytes)
        tf_prerequisite_warn(list, "disk", hint, "%s free, the backup needs up to %s: less than three times that", room,
                             need);
    else
        tf_prerequisite_ok(list, "disk", "%s free, the backup needs up to %s", room, need);
}

bool tf_prerequisite_disk(const tf_prerequisite_input *input, tf_prerequisite_list *list, tf_error *err)
{
    tf_op op = {.client = input->client->client, .db = input->client->state_db, .what = "ask for the free disk space"};
    _cleanup_bson_ bson_t stats = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *command = BCON_NEW("dbStats", BCON_INT32(1));
    tf_error one = {0};
    if (!tf_op_command(&op, command, &stats, &one))
        return tf_prerequisite_unseen(list, "disk", &one, err);
    int64_t total = number(&stats, "fsTotalSize"), used = number(&stats, "fsUsedSize");
    if (total <= 0 || used < 0) {
        /* a database that does not exist yet has no place yet; the repaired one has */
        bson_reinit(&stats);
        op.db = input->client->db;
        if (!tf_op_command(&op, command, &stats, &one))
            return tf_prerequisite_unseen(list, "disk", &one, err);
        total = number(&stats, "fsTotalSize");
        used = number(&stats, "fsUsedSize");
    }
    if (total <= 0 || used < 0)
        tf_prerequisite_warn(list, "disk", "Look on the server's host.",
                             "the server does not tell its free disk space");
    else
        judge_disk(total - used, input->bytes, list);
    return true;
}
