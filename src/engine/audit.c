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
    static const char *const names[] = {"passed", "finding", "skipped", "unsure"};
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

bool tf_audit_check_words(const tf_migration *migration, const char *const *words, tf_error *err)
{
    size_t count = count_checks(migration);
    for (const char *const *word = words; word && *word; word++) {
        bool known = false;
        for (size_t i = 0; i < count && !known; i++)
            known = is_called(&migration->checks[i], *word);
        if (!known)
            return refuse_word(migration, *word, err);
    }
    return true;
}

/* Fills a row for each check asked for, in the migration's order. */
static bool choose(const tf_migration *migration, const tf_audit_wanted *wanted, tf_audit *audit, tf_error *err)
{
    const char *const *words = wanted->checks;
    size_t count = count_checks(migration);
    if (count == 0) {
        tf_error_set(err, TF_ERR_NOTHING_TO_DO, "migration %s has no checks", migration->id);
        return tf_error_hint(err, "A migration's descriptor lists what an audit looks for.");
    }
    if (!tf_audit_check_words(migration, words, err))
        return false;
    audit->rows = bson_malloc0(count * sizeof *audit->rows);
    for (size_t i = 0; i < count; i++) {
        bool asked = !words || !*words || (wanted->by_owner && migration->checks[i].user_key);
        for (const char *const *word = words; word && *word && !asked; word++)
            asked = is_called(&migration->checks[i], *word);
        if (asked)
            audit->rows[audit->total++] = (tf_audit_row){.check = &migration->checks[i]};
    }
    return true;
}

bool tf_audit_narrow(const tf_engine *engine, const tf_audit_wanted *wanted, const tf_repair *repair, tf_audit *audit,
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

/* Rows by their numbers: those whose checks a pass runs, and those whose premises it asks. */
typedef struct planned {
    tf_pass pass;
    size_t rows[TF_PASS_MAX], premises[TF_PASS_MAX];
} planned;

typedef struct job {
    const tf_engine *engine;
    const tf_audit_wanted *wanted;
    const tf_narrowing *narrowing;
    tf_audit *audit;
    tf_finding *findings;      /* by row */
    tf_candidates *candidates; /* by row: what its premise said */
    planned *passes;           /* of this round */
    size_t passes_count, done;
    uint64_t after; /* what was repaired before the audit began is seen by a member that is behind, too */
    pthread_mutex_t lock;
} job;

typedef struct worker {
    tf_store store;
    job *job;
} worker;

static void add_row(planned *p, size_t row, const tf_check *check)
{
    p->rows[p->pass.count] = row;
    p->pass.checks[p->pass.count++] = check;
}

static planned *find_pass(job *j, const tf_check *check)
{
    for (size_t k = 0; k < j->passes_count; k++)
        if (j->passes[k].pass.count < TF_PASS_MAX && tf_check_shares(j->passes[k].pass.checks[0], check))
            return &j->passes[k];
    return &j->passes[j->passes_count++];
}

/* A pass over the documents themselves, of the check's number; one is made where there is none. */
static planned *find_pass_of_premise(job *j, const tf_check *check)
{
    planned *bare = NULL;
    for (size_t k = 0; k < j->passes_count; k++) {
        planned *p = &j->passes[k];
        const tf_check *first = p->pass.count ? p->pass.checks[0] : NULL;
        if (p->pass.premises_count < TF_PASS_MAX &&
            (first ? !first->source && !first->ledger && !first->collection && !first->needs && first->pass == check->pass
                   : p->pass.premises[0]->pass == check->pass))
            bare = p;
    }
    return bare ? bare : &j->passes[j->passes_count++];
}

/* First what needs no premise, the longest at the beginning: those of many checks, and those that look at everything. A ledger is
 * compared at once, and once more where its premise says so. */
static void plan_first_round(job *j)
{
    const tf_audit *audit = j->audit;
    j->passes = bson_malloc0(2 * audit->total * sizeof *j->passes);
    for (size_t i = 0; i < audit->total; i++) {
        const tf_check *check = audit->rows[i].check;
        if (check->ledger || !tf_check_has_premise(check, j->narrowing))
            add_row(find_pass(j, check), i, check);
    }
    for (size_t i = 0; i < audit->total; i++) {
        const tf_check *check = audit->rows[i].check;
        if (!tf_check_has_premise(check, j->narrowing))
            continue;
        planned *p = find_pass_of_premise(j, check);
        p->premises[p->pass.premises_count] = i;
        p->pass.premises[p->pass.premises_count++] = check;
    }
}

static void plan_second_round(job *j)
{
    j->passes_count = 0;
    memset(j->passes, 0, j->audit->total * sizeof *j->passes);
    for (size_t i = 0; i < j->audit->total; i++) {
        const tf_audit_row *row = &j->audit->rows[i];
        bool left = row->check->ledger ? row->state == TF_AUDIT_UNSURE : !j->findings[i].check && row->state != TF_AUDIT_SKIPPED;
        if (left && j->candidates[i].any)
            add_row(&j->passes[j->passes_count++], i, row->check);
    }
}

__attribute__((format(printf, 3, 4))) static void skip(job *j, const planned *p, const char *format, ...)
{
    for (size_t i = 0; i < p->pass.count; i++) {
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

static void take_ledger(job *j, size_t row, const tf_balance_result *result)
{
    const tf_check *check = j->audit->rows[row].check;
    tf_finding *finding = &j->findings[row];
    *finding = (tf_finding){.check = check,
                            .severity = tf_finding_weigh(check, result->owners, result->amount),
                            .count = result->owners,
                            .amount = result->amount,
                            .has_amount = true,
                            .examples = bson_new()};
    tf_finding_name(j->audit->migration->id, check->name, j->audit->narrowing, finding->id);
    copy_examples(result->examples, finding->examples);
}

/* The primary is asked: a member that is behind would differ from the ledger without anybody's fault. */
static bool compare_ledger(worker *w, const planned *p, tf_error *err)
{
    job *j = w->job;
    tf_audit_row *row = &j->audit->rows[p->rows[0]];
    tf_engine engine = *j->engine;
    _cleanup_(tf_run_done) tf_run run = {0};
    _cleanup_(tf_balance_result_done) tf_balance_result result = {0};
    bool sure = true, plain = row->state != TF_AUDIT_UNSURE && tf_check_has_premise(row->check, j->narrowing);
    engine.store = w->store;
    int got = tf_resolve_newest(&engine, NULL, is_finished, &run, err);
    if (got == 0)
        skip(j, p, "no run has finished yet: there is no ledger to compare with");
    if (got <= 0)
        return got == 0;
    if (!tf_balance_look(&w->store, j->narrowing, &run, plain, &sure, &result, err))
        return false;
    tf_finding_done(&j->findings[p->rows[0]]);
    take_ledger(j, p->rows[0], &result);
    row->state = sure ? TF_AUDIT_PASSED : TF_AUDIT_UNSURE;
    return true;
}

static bool run_checks(worker *w, const planned *p, tf_error *err)
{
    job *j = w->job;
    tf_finding findings[TF_PASS_MAX];
    tf_candidates candidates[TF_PASS_MAX];
    const tf_candidates *known = p->pass.count && j->candidates[p->rows[0]].any ? &j->candidates[p->rows[0]] : NULL;
    const tf_audit_input input = {
        .store = &w->store, .migration = j->audit->migration->id, .narrowing = j->narrowing, .max_time_ms = j->wanted->max_time_ms};
    if (!tf_audit_pass(&input, &p->pass, known, findings, candidates, err))
        return false;
    for (size_t i = 0; i < p->pass.count; i++)
        j->findings[p->rows[i]] = findings[i];
    for (size_t i = 0; i < p->pass.premises_count; i++)
        j->candidates[p->premises[i]] = candidates[i];
    return true;
}

static bool run_pass(worker *w, const planned *p, tf_error *err)
{
    const tf_check *first = p->pass.count ? p->pass.checks[0] : p->pass.premises[0];
    tf_error one = {0};
    if (first->needs && !is_there(&w->store, first->needs)) {
        skip(w->job, p, "collection %s is not there", first->needs);
        return true;
    }
    if (first->ledger && p->pass.count ? compare_ledger(w, p, &one) : run_checks(w, p, &one))
        return true;
    if (first->ledger && one.code == TF_ERR_OVERFLOW) {
        skip(w->job, p, "%.200s", one.message);
        return true;
    }
    if (one.code == TF_ERR_PERMISSION && (first->needs || first->collection || first->ledger)) {
        skip(w->job, p, "not visible with these privileges: %.200s", one.message);
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
    w->store.max_time_ms = j->wanted->max_time_ms;
    w->store.after = j->after;
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
    j->done += j->passes[i].pass.count;
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
        if (row->state == TF_AUDIT_UNSURE)
            row->state = TF_AUDIT_PASSED;
        if (finding->severity != TF_SEVERITY_NONE) {
            row->state = TF_AUDIT_FINDING;
            audit->worst = finding->severity > audit->worst ? finding->severity : audit->worst;
            audit->findings[audit->findings_count++] = *finding;
            *finding = (tf_finding){0};
        }
        audit->passed += row->state == TF_AUDIT_PASSED;
        audit->skipped += row->state == TF_AUDIT_SKIPPED;
    }
}

static bool run_rounds(job *j, tf_error *err)
{
    plan_first_round(j);
    if (!run_passes(j, err))
        return false;
    plan_second_round(j);
    return j->passes_count == 0 || run_passes(j, err);
}

/* A name that was mistyped must not pass for a sound account. What cannot be looked at is not said. */
static bool is_nobody(const job *j)
{
    tf_narrowing whose = *j->narrowing;
    tf_op op = tf_store_op(&j->engine->store, NULL, "look for the owner's documents");
    _cleanup_bson_ bson_t query = BSON_INITIALIZER, found = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("limit", BCON_INT64(1), "projection", "{", "_id", BCON_INT32(1), "}");
    tf_error ignored = {0};
    whose.since_run = NULL;
    if (!tf_narrowing_is_narrow(&whose))
        return false;
    op.db = j->engine->store.repaired;
    op.max_time_ms = j->wanted->max_time_ms;
    tf_narrowing_query(&whose, &query);
    return tf_cursor_one(tf_op_find(&op, whose.repair->collection, &query, opts), &op, &found, &ignored) == 0;
}

static bool run_all(job *j, tf_error *err)
{
    tf_audit *audit = j->audit;
    int64_t begun = tf_clock_ms(), documents = 0;
    tf_error unseen = {0};
    tf_op op = tf_store_op(&j->engine->store, NULL, "count the documents");
    op.db = j->engine->store.repaired;
    audit->empty = tf_collection_count(&op, j->narrowing->repair->collection, &documents, &unseen) && documents == 0;
    audit->nobody = !audit->empty && is_nobody(j);
    j->after = tf_client_moment(j->engine->store.client);
    j->findings = bson_malloc0(audit->total * sizeof *j->findings);
    j->candidates = bson_malloc0(audit->total * sizeof *j->candidates);
    audit->findings = bson_malloc0(audit->total * sizeof *audit->findings);
    bool ok = tf_client_now(j->engine->store.client, &audit->at, err) && run_rounds(j, err);
    if (ok)
        gather(j);
    for (size_t i = 0; i < audit->total; i++) {
        tf_finding_done(&j->findings[i]);
        tf_candidates_done(&j->candidates[i]);
    }
    free(j->findings);
    free(j->candidates);
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
    bool ok = repair && choose(engine->migration, wanted, &audit, err) &&
              tf_audit_narrow(engine, wanted, repair, &audit, &narrowing, err) && run_all(&j, err);
    if (!ok) {
        tf_audit_done(&audit);
        return false;
    }
    *out = audit;
    return true;
}
