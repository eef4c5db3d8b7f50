#include "engine/audit.h"

#include "base/clock.h"
#include "base/nearest.h"
#include "base/stop.h"
#include "check/audit.h"
#include "check/balance.h"
#include "db/collection.h"
#include "engine/resolve.h"
#include "engine/work.h"

#include <pthread.h>
#include <tokenfix/cleanup.h>

/* Two passes side by side: the server has more than one processor, and what it shares is the reading of the documents. */
enum { WORKERS = 2 };

void tf_audit_done(tf_audit *audit)
{
    for (size_t i = 0; i < audit->findings_count; i++)
        tf_finding_done(&audit->findings[i]);
    free(audit->findings);
    free(audit->rows);
    *audit = (tf_audit){0};
}

const char *tf_audit_state_name(tf_audit_state state)
{
    static const char *const names[] = {"passed", "finding", "skipped"};
    return names[state];
}

/* ---- which checks ---- */

static size_t count_checks(const tf_migration *migration)
{
    size_t n = 0;
    while (migration->checks && migration->checks[n].name)
        n++;
    return n;
}

static bool is_called(const tf_check *check, const char *word)
{
    return strcmp(check->name, word) == 0 || strcmp(check->group, word) == 0;
}

static bool refuse_word(const tf_migration *migration, const char *word, tf_error *err)
{
    size_t count = count_checks(migration);
    _cleanup_free_ const char **known = bson_malloc0((2 * count + 1) * sizeof *known);
    for (size_t i = 0; i < count; i++) {
        known[2 * i] = migration->checks[i].name;
        known[2 * i + 1] = migration->checks[i].group;
    }
    const char *near = tf_nearest(word, known);
    tf_error_set(err, TF_ERR_NOT_FOUND, "there is no check '%.100s' in %s", word, migration->id);
    if (near)
        return tf_error_hint(err, "Did you mean '%s'?", near);
    return tf_error_hint(err, "An audit without --check lists them all.");
}

/* Fills a row for each check asked for, in the migration's order. */
static bool choose(const tf_migration *migration, const char *const *words, tf_audit *audit, tf_error *err)
{
    size_t count = count_checks(migration);
    if (count == 0) {
        tf_error_set(err, TF_ERR_NOTHING_TO_DO, "migration %s has no checks", migration->id);
        return tf_error_hint(err, "A migration's descriptor lists what an audit looks for.");
    }
    for (const char *const *word = words; word && *word; word++) {
        bool known = false;
        for (size_t i = 0; i < count && !known; i++)
            known = is_called(&migration->checks[i], *word);
        if (!known)
            return refuse_word(migration, *word, err);
    }
    audit->rows = bson_malloc0(count * sizeof *audit->rows);
    for (size_t i = 0; i < count; i++) {
        bool asked = !words || !*words;
        for (const char *const *word = words; word && *word && !asked; word++)
            asked = is_called(&migration->checks[i], *word);
        if (asked)
            audit->rows[audit->total++] = (tf_audit_row){.check = &migration->checks[i]};
    }
    return true;
}

static bool narrow(const tf_engine *engine, const tf_audit_wanted *wanted, const tf_repair *repair, tf_audit *audit,
                   tf_narrowing *narrowing, tf_error *err)
{
    *narrowing = (tf_narrowing){.repair = repair, .owner = {wanted->user, wanted->mint}};
    for (size_t i = 0; i < 2; i++)
        if (narrowing->owner[i] && (!repair->ledger.present || repair->ledger.owners <= i))
            return tf_error_set(err, TF_ERR_USAGE, "migration %s has nothing that '--%s' could narrow by", engine->migration->id,
                                i ? "mint" : "user");
    if (wanted->since) {
        _cleanup_(tf_run_done) tf_run run = {0};
        if (!tf_resolve_run(engine, wanted->since, &run, err))
            return false;
        snprintf(audit->since, sizeof audit->since, "%s", run.id);
        narrowing->since_run = audit->since;
        narrowing->since = run.started_at;
    }
    tf_narrowing_text(narrowing, audit->narrowing, sizeof audit->narrowing);
    return true;
}

/* ---- passes ---- */

enum { SHARING = 32 };

typedef struct pass {
    size_t rows[SHARING];
    size_t count;
} pass;

typedef struct job {
    const tf_engine *engine;
    const tf_audit_wanted *wanted;
    const tf_narrowing *narrowing;
    tf_audit *audit;
    tf_finding *findings; /* by row */
    pass *passes;
    size_t passes_count, done;
    pthread_mutex_t lock;
} job;

typedef struct worker {
    tf_store store;
    job *job;
} worker;

static void plan_passes(job *j)
{
    const tf_audit *audit = j->audit;
    j->passes = bson_malloc0(audit->total * sizeof *j->passes);
    for (size_t i = 0; i < audit->total; i++) {
        pass *found = NULL;
        for (size_t k = 0; k < j->passes_count && !found; k++)
            if (j->passes[k].count < SHARING && tf_check_shares(audit->rows[j->passes[k].rows[0]].check, audit->rows[i].check))
                found = &j->passes[k];
        if (!found)
            found = &j->passes[j->passes_count++];
        found->rows[found->count++] = i;
    }
}

__attribute__((format(printf, 3, 4))) static void skip(job *j, const pass *p, const char *format, ...)
{
    for (size_t i = 0; i < p->count; i++) {
        tf_audit_row *row = &j->audit->rows[p->rows[i]];
        va_list args;
        row->state = TF_AUDIT_SKIPPED;
        va_start(args, format);
        vsnprintf(row->reason, sizeof row->reason, format, args);
        va_end(args);
    }
}

/* What cannot be seen is no reason to skip it: the check itself finds out. */
static bool is_there(const tf_store *store, const char *name)
{
    tf_op op = tf_store_op(store, NULL, "look for a collection");
    tf_collection collection;
    tf_error ignored = {0};
    op.db = store->repaired;
    bool absent = tf_collection_read(&op, name, &collection, &ignored) && !*collection.type;
    tf_collection_done(&collection);
    return !absent;
}

static bool is_finished(const tf_run *run)
{
    return run->stored == TF_STATE_COMPLETED || run->stored == TF_STATE_ROLLED_BACK || run->stored == TF_STATE_ROLLED_BACK_WITH_CONFLICTS;
}

static void copy_examples(const bson_t *from, bson_t *to)
{
    bson_iter_t iter;
    uint32_t n = 0;
    if (bson_iter_init(&iter, from))
        while (n < TF_FINDING_EXAMPLES && bson_iter_next(&iter))
            bson_append_iter(to, bson_iter_key(&iter), -1, &iter), n++;
}

/* The primary is asked: a member that is behind would differ from the ledger without anybody's fault. */
static bool compare_ledger(worker *w, const pass *p, tf_error *err)
{
    job *j = w->job;
    tf_engine engine = *j->engine;
    _cleanup_(tf_run_done) tf_run run = {0};
    _cleanup_(tf_balance_result_done) tf_balance_result result = {0};
    engine.store = w->store;
    int got = tf_resolve_newest(&engine, NULL, is_finished, &run, err);
    if (got == 0)
        skip(j, p, "no run has finished yet: there is no ledger to compare with");
    if (got <= 0)
        return got == 0;
    if (!tf_balance_look(&w->store, j->narrowing, &run, &result, err))
        return false;
    const tf_check *check = j->audit->rows[p->rows[0]].check;
    tf_finding *finding = &j->findings[p->rows[0]];
    *finding = (tf_finding){.check = check,
                            .severity = tf_finding_weigh(check, result.owners, result.amount),
                            .count = result.owners,
                            .amount = result.amount,
                            .has_amount = true,
                            .examples = bson_new()};
    tf_finding_name(j->audit->migration->id, check->name, j->audit->narrowing, finding->id);
    copy_examples(result.examples, finding->examples);
    return true;
}

static bool run_pass(worker *w, const pass *p, tf_error *err)
{
    job *j = w->job;
    const tf_check *checks[SHARING];
    tf_finding findings[SHARING];
    tf_error one = {0};
    for (size_t i = 0; i < p->count; i++)
        checks[i] = j->audit->rows[p->rows[i]].check;
    if (checks[0]->needs && !is_there(&w->store, checks[0]->needs)) {
        skip(j, p, "collection %s is not there", checks[0]->needs);
        return true;
    }
    bool ok;
    if (checks[0]->ledger)
        ok = compare_ledger(w, p, &one);
    else {
        const tf_audit_input input = {
            .store = &w->store, .migration = j->audit->migration->id, .narrowing = j->narrowing, .max_time_ms = j->wanted->max_time_ms};
        ok = tf_audit_pass(&input, checks, p->count, findings, &one);
        for (size_t i = 0; ok && i < p->count; i++)
            j->findings[p->rows[i]] = findings[i];
    }
    if (ok)
        return true;
    if (one.code == TF_ERR_PERMISSION && (checks[0]->needs || checks[0]->collection || checks[0]->ledger)) {
        skip(j, p, "not visible with these privileges: %.200s", one.message);
        return true;
    }
    *err = one;
    return false;
}

static bool begin(tf_work *work, mongoc_client_t *client, void **state, tf_error *err)
{
    job *j = work->arg;
    worker *w = bson_malloc0(sizeof *w);
    (void)err;
    *w = (worker){.store = j->engine->store, .job = j};
    w->store.client = client;
    *state = w;
    return true;
}

static void end(void *state, const tf_error *error)
{
    (void)error;
    free(state);
}

static bool item(void *state, size_t i, tf_error *err)
{
    worker *w = state;
    job *j = w->job;
    const tf_observer *observer = &j->engine->observer;
    if (tf_stop_level() > 0)
        return tf_error_set(err, TF_ERR_INTERRUPTED, "stopped on request");
    if (!run_pass(w, &j->passes[i], err))
        return false;
    pthread_mutex_lock(&j->lock);
    j->done += j->passes[i].count;
    if (observer->progress)
        observer->progress(observer->arg, "audit", (int64_t)j->done, (int64_t)j->audit->total);
    pthread_mutex_unlock(&j->lock);
    return true;
}

/* ---- the whole ---- */

static bool run_passes(job *j, tf_error *err)
{
    tf_work work = {.client = j->engine->client,
                    .workers = j->engine->settings.workers ? (int)j->engine->settings.workers : WORKERS,
                    .items = j->passes_count,
                    .arg = j,
                    .begin = begin,
                    .item = item,
                    .end = end};
    const tf_observer *observer = &j->engine->observer;
    if (observer->progress)
        observer->progress(observer->arg, "audit", 0, (int64_t)j->audit->total);
    return tf_work_run(&work, err);
}

static void gather(job *j)
{
    tf_audit *audit = j->audit;
    for (size_t i = 0; i < audit->total; i++) {
        tf_audit_row *row = &audit->rows[i];
        tf_finding *finding = &j->findings[i];
        if (finding->severity != TF_SEVERITY_NONE) {
            row->state = TF_AUDIT_FINDING;
            audit->worst = finding->severity > audit->worst ? finding->severity : audit->worst;
            audit->findings[audit->findings_count++] = *finding;
            continue;
        }
        tf_finding_done(finding);
        audit->passed += row->state == TF_AUDIT_PASSED;
        audit->skipped += row->state == TF_AUDIT_SKIPPED;
    }
}

static bool run_all(job *j, tf_error *err)
{
    tf_audit *audit = j->audit;
    int64_t begun = tf_clock_ms(), documents = 0;
    tf_error unseen = {0};
    tf_op op = tf_store_op(&j->engine->store, NULL, "count the documents");
    op.db = j->engine->store.repaired;
    audit->empty = tf_collection_count(&op, j->narrowing->repair->collection, &documents, &unseen) && documents == 0;
    j->findings = bson_malloc0(audit->total * sizeof *j->findings);
    audit->findings = bson_malloc0(audit->total * sizeof *audit->findings);
    plan_passes(j);
    bool ok = tf_client_now(j->engine->store.client, &audit->at, err) && run_passes(j, err);
    if (ok)
        gather(j);
    else
        for (size_t i = 0; i < audit->total; i++)
            tf_finding_done(&j->findings[i]);
    free(j->findings);
    free(j->passes);
    tf_run_new_id(audit->id, audit->at, audit->migration->id);
    audit->elapsed_ms = tf_clock_ms() - begun;
    return ok;
}

bool tf_audit_run(const tf_engine *engine, const tf_audit_wanted *wanted, tf_audit *out, tf_error *err)
{
    tf_audit audit = {.migration = engine->migration};
    tf_narrowing narrowing;
    _cleanup_(tf_repair_freep) tf_repair *repair = tf_repair_parse(engine->migration->repair, err);
    job j = {.engine = engine, .wanted = wanted, .narrowing = &narrowing, .audit = &audit, .lock = PTHREAD_MUTEX_INITIALIZER};
    bool ok = repair && choose(engine->migration, wanted->checks, &audit, err) &&
              narrow(engine, wanted, repair, &audit, &narrowing, err) && run_all(&j, err);
    if (!ok) {
        tf_audit_done(&audit);
        return false;
    }
    *out = audit;
    return true;
}
