#include "cmd/schedule.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <tokenfix/cleanup.h>
#include <unistd.h>

#include "base/attend.h"
#include "base/clock.h"
#include "base/field.h"
#include "base/hash.h"
#include "base/number.h"
#include "base/outlet.h"
#include "base/service.h"
#include "base/stop.h"
#include "base/text.h"
#include "cmd/connection.h"
#include "cmd/retention.h"
#include "cmd/schedule_report.h"
#include "cmd/watcher.h"
#include "engine/audit_keep.h"
#include "notify/webhook.h"
#include "report/output.h"

/* A stop is through within 5 s, in whatever state: what is being told gets half a second and is cut short (again half a second), what
 * is to be kept has one, what runs on the server is ended in two, whoever reads what we print has half a second. */
enum { STOP_TELL_MS = 500, STOP_KEEP_MS = 1000, STOP_WORK_MS = 2000, STOP_PRINT_MS = 500 };
enum { LAST_WORD_MS = 40000, KEEP_EVERY_MS = 3600000, HANGS_MS = 3600000 };

typedef struct watch {
    const tf_globals *globals;
    const tf_migration *migration;
    const tf_audit_args *args; /* as read last */
    tf_options options;        /* of what SIGHUP brought, which borrows from its configuration */
    tf_config config;
    bool reloaded, reload_wanted;
    tf_check_words checks;
    tf_terms terms;
    tf_attend attend;
    tf_watcher *watcher;
    tf_alerting alerting;
    /* the schedule, by the monotonic clock */
    int64_t first, next, begun; /* of the rhythm; of the next round; of the one under way, 0: none */
    int64_t rounds, skipped;
    /* what is kept */
    tf_audit_kept result; /* of the newest round that has not been kept yet */
    int64_t kept_at, since;
    char kept_print[80]; /* of what was kept last */
    bool keep_said, forget_said;
    int64_t watchdog_ms, watchdog_next;
    int told_slow; /* of the round under way: 1 slow, 2 stuck */
    int status;
    bool stop;
} watch;

/* ---- options ---- */

void tf_check_words_split(const tf_strings *given, tf_check_words *out)
{
    size_t size = 0, n = 0, count = 1;
    FILE *stream = tf_text_stream(&out->text, &size);
    for (size_t i = 0; i < given->count; i++)
        fprintf(stream, "%s,", given->items[i]);
    fclose(stream);
    for (const char *p = out->text; *p; p++)
        count += *p == ',';
    out->items = bson_malloc0(count * sizeof *out->items);
    for (char *p = out->text, *comma; (comma = strchr(p, ',')); p = comma + 1) {
        *comma = '\0';
        out->items[n++] = p;
    }
}

void tf_check_words_done(tf_check_words *words)
{
    free(words->text);
    free(words->items);
    *words = (tf_check_words){0};
}

const char **tf_schedule_checks(const tf_migration *migration)
{
    size_t count = 0;
    while (migration->checks && migration->checks[count].name)
        count++;
    const char **names = bson_malloc0((count + 1) * sizeof *names);
    for (size_t i = 0; i < count; i++)
        names[i] = migration->checks[i].name;
    return names;
}

tf_severity tf_schedule_fail_on(const tf_audit_args *args)
{
    tf_severity severity = tf_severity_of(args->fail_on);
    return severity != TF_SEVERITY_NONE ? severity : (tf_severity)(TF_SEVERITY_HIGH + 1);
}

int64_t tf_schedule_keep_ms(const tf_audit_args *args)
{
    int64_t ms = 0;
    return args->keep && tf_retention_age("keep", args->keep, &ms, NULL) ? ms : 0;
}

static int64_t jitter_of(const tf_audit_args *args)
{
    int64_t ms = 0;
    if (!args->jitter)
        return 0;
    return *args->jitter && tf_number_duration(args->jitter, &ms) == TF_NUMBER_OK ? ms : args->every_ms / 10;
}

bool tf_schedule_check(const tf_audit_args *args, tf_error *err)
{
    int64_t ms = 0;
    if (!args->every_ms && (args->jitter || args->rounds)) {
        tf_error_set(err, TF_ERR_USAGE, "option '--%s' needs --every", args->jitter ? "jitter" : "rounds");
        return tf_error_hint(err, "Write '--every 5m', or leave it out.");
    }
    if (args->jitter && *args->jitter && (tf_number_duration(args->jitter, &ms) != TF_NUMBER_OK || ms >= args->every_ms)) {
        tf_error_set(err, TF_ERR_USAGE, "option '--jitter': '%s' is not a duration below that of --every", TF_WORD(args->jitter));
        return tf_error_hint(err, "Give a duration like 5s, or nothing for a tenth of --every.");
    }
    if (args->keep && args->no_keep)
        return tf_error_set(err, TF_ERR_USAGE, "option '--keep' contradicts '--no-keep'");
    if (args->keep && !tf_retention_age("keep", args->keep, &ms, err))
        return false;
    if (args->keep && ms < TF_DAY_MS) {
        tf_error_set(err, TF_ERR_USAGE, "option '--keep': '%s' is less than a day", TF_WORD(args->keep));
        return tf_error_hint(err, "What audits found is compared with: keep it for weeks; m is minutes.");
    }
    if (args->every_ms && (args->diff || args->format)) {
        tf_error_set(err, TF_ERR_USAGE, "option '--%s' does not go with --every", args->diff ? "diff" : "format");
        return tf_error_hint(err, "A round is one line; with --json one object on a line.");
    }
    return true;
}

/* ---- the schedule ---- */

/* The next point of the rhythm that is not over yet; what was missed is left out, so that rounds never overlap. */
static void schedule(watch *w)
{
    int64_t every = w->args->every_ms, now = tf_clock_ms(), jitter = jitter_of(w->args);
    int64_t passed = (now - w->first) / every + 1, due = w->first + passed * every;
    w->next = due + (jitter ? (int64_t)tf_clock_random((uint64_t)jitter) : 0);
}

static void begin_round(watch *w)
{
    const tf_audit_args *args = w->args;
    w->begun = tf_clock_ms();
    w->told_slow = 0;
    tf_watcher_order(w->watcher,
                     &(tf_watcher_wish){.wanted = {.checks = w->checks.items,
                                                  .user = args->user,
                                                  .mint = args->mint,
                                                  .since = args->since,
                                                  .max_time_ms = (int64_t)(args->max_time * 1000)},
                                       .limits = {.lag_ms = args->alerts.lag_ms, .round_trip_ms = args->alerts.round_trip_ms},
                                       .since = w->since});
}

/* ---- what is kept ---- */

/* What makes two rounds differ: their findings, but for the examples, and the open alerts. */
static void print_of(const bson_t *doc, char out[static 2 * TF_SHA256_SIZE + 1])
{
    static const char *const parts[] = {"checks", "findings", "alerts"};
    _cleanup_(tf_sha256_freep) tf_sha256 *hash = tf_sha256_new();
    uint8_t bytes[TF_SHA256_SIZE];
    for (size_t i = 0; i < 3; i++) {
        bson_t array, item;
        bson_iter_t iter;
        bool more = tf_field_view(doc, parts[i], &array) && bson_iter_init(&iter, &array);
        while (more && bson_iter_next(&iter)) {
            _cleanup_bson_ bson_t plain = BSON_INITIALIZER;
            if (!tf_field_view(&array, bson_iter_key(&iter), &item))
                bson_append_iter(&plain, NULL, 0, &iter);
            else
                tf_field_copy_without(&item, "examples", &plain);
            tf_sha256_add(hash, bson_get_data(&plain), plain.len);
        }
    }
    tf_sha256_finish(hash, bytes);
    tf_hex(bytes, sizeof bytes, out);
}

/* Once the channels have said what became of the alerts, or the next round is about to begin: a round that differs from the one
 * that was kept last, and one each hour. */
static bool keep(watch *w)
{
    char print[sizeof w->kept_print];
    if (!w->result.doc)
        return false;
    tf_alerts_append(&w->alerting.open, w->result.doc, "alerts");
    print_of(w->result.doc, print);
    bool wanted = !w->args->no_keep && (strcmp(print, w->kept_print) != 0 || tf_clock_ms() - w->kept_at >= KEEP_EVERY_MS);
    if (wanted) {
        snprintf(w->kept_print, sizeof w->kept_print, "%s", print);
        w->kept_at = tf_clock_ms();
        tf_watcher_keep(w->watcher, w->result.doc, tf_schedule_keep_ms(w->args));
    }
    tf_audit_kept_done(&w->result);
    return wanted;
}

static void say_not_kept(watch *w)
{
    const tf_error *err = tf_watcher_not_kept(w->watcher), *old = tf_watcher_not_forgotten(w->watcher);
    if (old->code != TF_ERR_OK && !w->forget_said)
        tf_output_warning("what was kept and is old is not removed: %s", old->message);
    w->forget_said = old->code != TF_ERR_OK;
    if (err->code == TF_ERR_OK) {
        w->keep_said = false;
        return;
    }
    w->kept_print[0] = '\0'; /* again with the next round */
    if (!w->keep_said)
        tf_output_note("nothing is kept of the rounds: %s%s", err->message,
                       err->code == TF_ERR_PERMISSION ? ". The role of 'validate --print-role=auditor' may keep them; without it alerts "
                                                        "that are open are forgotten when this ends"
                                                      : "");
    w->keep_said = true;
}

/* ---- a round is over ---- */

static void tell_round(watch *w, const tf_round *round)
{
    tf_severity fail_on = tf_schedule_fail_on(w->args);
    tf_conditions *conditions = bson_malloc0(sizeof *conditions);
    if (round->audited)
        tf_conditions_add_audit(conditions, &round->audit, &w->terms, &w->alerting);
    if (round->audited)
        tf_conditions_add_time(conditions, "slow/audit", "the audit took", round->elapsed_ms, w->args->alerts.slow_ms,
                               w->args->alerts.stuck_ms);
    tf_conditions_add_system(conditions, round, &w->args->alerts, fail_on);
    tf_schedule_line line = {.round = round, .number = ++w->rounds, .skipped = w->skipped, .fail_on = fail_on};
    line.alerts = tf_alerting_round(&w->alerting, conditions->items, conditions->count, conditions->looked, round->at);
    line.open = tf_alerts_open(&w->alerting.open);
    tf_conditions_done(conditions);
    bson_free(conditions);
    tf_schedule_print(&line, w->globals->json);
    char status[300];
    tf_schedule_status(&line, status, sizeof status);
    tf_service_tell("STATUS=%s", status);
    w->skipped = 0;
}

/* What no later round will make good. */
static bool is_final(const tf_error *err)
{
    return err->code == TF_ERR_AUTH || err->code == TF_ERR_USAGE || err->code == TF_ERR_UNSUPPORTED || err->code == TF_ERR_NOT_FOUND ||
           err->code == TF_ERR_NOTHING_TO_DO;
}

static void take_alerts(watch *w)
{
    int64_t at = 0;
    _cleanup_(bson_destroyp) bson_t *alerts = tf_watcher_take_alerts(w->watcher, &at);
    if (alerts)
        tf_alerts_read(alerts, &w->alerting.open);
}

static void end_round(watch *w, tf_round *round)
{
    int64_t missed = (tf_clock_ms() - w->first) / w->args->every_ms - (w->begun - w->first) / w->args->every_ms;
    if (round->err.code == TF_ERR_INTERRUPTED) { /* by our own stop: it says nothing */
        w->begun = 0;
        return;
    }
    take_alerts(w);
    if (w->rounds == 0 && !round->audited && is_final(&round->err)) {
        w->status = tf_output_error(&round->err, NULL, NULL, w->globals->json);
        w->stop = true;
        return;
    }
    w->skipped += missed > 0 ? missed : 0;
    tell_round(w, round);
    tf_audit_kept_done(&w->result);
    if (round->audited)
        tf_audit_document(tf_watcher_engine(w->watcher), &round->audit, NULL, &w->result);
    else if (!round->health.parts[TF_HEALTH_CONNECTION].degraded) /* where it is, nothing can be kept either */
        tf_audit_document_failed(tf_watcher_engine(w->watcher), round->at, &round->err, &w->result);
    if (!round->health.parts[TF_HEALTH_CONNECTION].degraded)
        w->since = round->at;
    w->begun = 0;
    w->stop = w->stop || (w->args->rounds && w->rounds >= w->args->rounds);
    schedule(w);
}

/* The audit itself, while it is under way. */
static void watch_time(watch *w)
{
    const tf_alert_args *alerts = &w->args->alerts;
    int64_t ms = tf_clock_ms() - w->begun;
    int now = alerts->stuck_ms && ms > alerts->stuck_ms ? 2 : alerts->slow_ms && ms > alerts->slow_ms ? 1 : 0;
    if (now <= w->told_slow)
        return;
    tf_conditions *conditions = bson_malloc0(sizeof *conditions);
    tf_conditions_add_time(conditions, "slow/audit", "the audit has been under way for", ms, alerts->slow_ms, alerts->stuck_ms);
    tf_alerting_round(&w->alerting, conditions->items, conditions->count, conditions->looked, tf_clock_wall_ms());
    tf_output_warning("%s", conditions->texts[0]);
    tf_conditions_done(conditions);
    bson_free(conditions);
    w->told_slow = now;
}

/* ---- the configuration, anew ---- */

static void use(watch *w, const tf_audit_args *args)
{
    w->args = args;
    tf_check_words_done(&w->checks);
    tf_check_words_split(&args->checks, &w->checks);
}

static bool open_alerting(watch *w, const tf_audit_args *args, tf_error *err)
{
    const char **names = tf_schedule_checks(w->migration);
    bool good = tf_alerting_open(&w->alerting, &args->alerts, w->globals, names, err);
    free(names);
    return good;
}

/* A pipe cannot be read a second time (opening it would wait for ever), and that a file is gone does not mean that nobody is to
 * be told any more. */
static bool can_be_read_again(const char *path, tf_error *err)
{
    struct stat about;
    if (!path || (stat(path, &about) == 0 && (S_ISREG(about.st_mode) || S_ISCHR(about.st_mode))))
        return true;
    return tf_error_set(err, TF_ERR_USAGE, "'%s' is gone, or no file that can be read again", TF_WORD(path));
}

static bool check_reloaded(const watch *w, const tf_audit_args *bound, tf_error *err)
{
    if (!bound->every_ms)
        return tf_error_set(err, TF_ERR_USAGE, "the configuration has no 'every' any more");
    _cleanup_(tf_check_words_done) tf_check_words words = {0};
    tf_check_words_split(&bound->checks, &words);
    return tf_schedule_check(bound, err) && tf_audit_check_words(w->migration, words.items, err) &&
           can_be_read_again(bound->alerts.webhook ? bound->alerts.webhook_secret_file : NULL, err);
}

/* Between rounds only: a round borrows from the arguments. */
static void reload(watch *w)
{
    tf_audit_args *bound = bson_malloc0(sizeof *bound); /* an options table is bound to where its arguments stand */
    tf_options options;
    tf_config config = {0};
    tf_error err = {0};
    bool connection = false;
    tf_service_tell("RELOADING=1\nMONOTONIC_USEC=%" PRId64, tf_clock_us());
    tf_options_init(&options, w->globals->command_options->table, bound);
    bool good = can_be_read_again(w->globals->config->path, &err) &&
                tf_command_reload(w->globals, &options, &config, &connection, &err) && check_reloaded(w, bound, &err) &&
                open_alerting(w, bound, &err);
    if (!good) {
        tf_output_warning("the configuration was not read again, what was read before stays: %s%s%s%s", err.message,
                          *err.detail ? " (" : "", err.detail, *err.detail ? ")" : "");
        tf_options_done(&options);
        tf_config_done(&config);
        bson_free(bound);
    } else {
        bool other_rhythm = bound->every_ms != w->args->every_ms;
        tf_options old_options = w->options;
        tf_config old_config = w->config;
        const tf_audit_args *old = w->reloaded ? w->args : NULL;
        w->options = options;
        w->config = config;
        use(w, bound);
        if (w->reloaded) {
            tf_options_done(&old_options);
            tf_config_done(&old_config);
            bson_free((void *)(uintptr_t)old);
        }
        w->reloaded = true;
        if (other_rhythm) {
            w->first = tf_clock_ms();
            schedule(w);
        }
        tf_output_note("the configuration was read again%s",
                       connection ? "; the connection stays as it is until the program is started again" : "");
    }
    w->reload_wanted = false;
    tf_service_tell("READY=1");
}

/* ---- the loop ---- */

static int64_t until_next(const watch *w)
{
    int64_t now = tf_clock_ms(), wait = HANGS_MS;
    const tf_alert_args *alerts = &w->args->alerts;
    bool busy = !tf_watcher_is_idle(w->watcher); /* it tells when it is not */
    const int64_t points[] = {
        busy || w->begun ? 0 : w->next,
        w->begun && alerts->slow_ms && w->told_slow < 1 ? w->begun + alerts->slow_ms + 1 : 0,
        w->begun && alerts->stuck_ms && w->told_slow < 2 ? w->begun + alerts->stuck_ms + 1 : 0,
        w->watchdog_ms ? w->watchdog_next : 0,
        w->result.doc && !w->begun && !busy ? now + 100 : 0, /* do the channels rest? */
    };
    for (size_t i = 0; i < sizeof points / sizeof *points; i++)
        if (points[i] && points[i] - now < wait)
            wait = points[i] - now;
    return wait > 0 ? wait : 0;
}

/* A round that has hung for an hour and more is none: systemd may start us again. */
static void feed_watchdog(watch *w)
{
    int64_t now = tf_clock_ms();
    if (!w->watchdog_ms || now < w->watchdog_next)
        return;
    int64_t limit = w->args->alerts.stuck_ms * 4 > HANGS_MS ? w->args->alerts.stuck_ms * 4 : HANGS_MS;
    if (!w->begun || now - w->begun < limit)
        tf_service_tell("WATCHDOG=1");
    w->watchdog_next = now + w->watchdog_ms;
}

static void turn(watch *w)
{
    tf_round round;
    bool idle = tf_watcher_is_idle(w->watcher);
    if (w->begun && idle && tf_watcher_take(w->watcher, &round)) {
        end_round(w, &round);
        tf_round_done(&round);
    } else if (w->begun)
        watch_time(w);
    else if (idle)
        say_not_kept(w);
    tf_alerting_collect(&w->alerting);
    if (w->stop || w->begun || !tf_watcher_is_idle(w->watcher))
        return;
    if (w->reload_wanted)
        reload(w);
    bool due = tf_clock_ms() >= w->next;
    if (w->result.doc && (due || tf_alerting_is_idle(&w->alerting)) && keep(w))
        return;
    if (due)
        begin_round(w);
}

static void loop(watch *w)
{
    w->first = w->next = tf_clock_ms();
    w->watchdog_ms = tf_service_watchdog_ms();
    w->watchdog_next = w->first;
    tf_service_tell("READY=1\nSTATUS=the first round begins");
    while (!w->stop) {
        turn(w);
        feed_watchdog(w);
        if (w->stop)
            break;
        unsigned calls = tf_attend_wait(&w->attend, until_next(w));
        w->reload_wanted = w->reload_wanted || calls & TF_CALL_RELOAD;
        w->stop = w->stop || calls & TF_CALL_STOP;
    }
}

/* What is still to be told gets its time, unless a stop is asked for meanwhile. */
static void tell_the_rest(watch *w)
{
    int64_t until = tf_clock_ms() + LAST_WORD_MS;
    while (!tf_alerting_is_idle(&w->alerting) && tf_clock_ms() < until) {
        feed_watchdog(w);
        if (tf_attend_wait(&w->attend, 50) & TF_CALL_STOP)
            return;
    }
}

/* Alerts that are told by now, and what came of them, are kept where that is quickly done. */
static void leave(watch *w)
{
    tf_service_tell("STOPPING=1");
    bool idle = tf_watcher_is_idle(w->watcher);
    if (tf_stop_level() == 0)
        tell_the_rest(w);
    tf_alerting_close(&w->alerting, STOP_TELL_MS);
    if (idle && !w->begun && keep(w))
        for (int64_t until = tf_clock_ms() + STOP_KEEP_MS; !tf_watcher_is_idle(w->watcher) && tf_clock_ms() < until;)
            tf_attend_wait(&w->attend, until - tf_clock_ms());
    tf_round round;
    if (tf_watcher_take(w->watcher, &round))
        tf_round_done(&round);
    if (tf_watcher_stop(w->watcher, STOP_WORK_MS))
        return;
    tf_outlet_end(STOP_PRINT_MS);
    _exit(w->status); /* a thread that hangs in the driver: nothing can be freed beside it */
}

static bool start(watch *w, tf_error *err)
{
    tf_connection connection = {0};
    if (!open_alerting(w, w->args, err) || !tf_connection_resolve(w->globals, &connection, err))
        return false;
    tf_options_forget(w->globals->options);
    tf_connection_be_patient(&connection, tf_schedule_patience_ms(w->args));
    snprintf(w->alerting.database, sizeof w->alerting.database, "%s", connection.db);
    snprintf(w->alerting.migration, sizeof w->alerting.migration, "%s", w->migration->id);
    w->watcher = tf_watcher_start(&connection, w->migration, &w->attend, err);
    return w->watcher != NULL;
}

int64_t tf_schedule_patience_ms(const tf_audit_args *args)
{
    return args->max_time > 0 ? (int64_t)(args->max_time * 1000) + 60000 : INT64_MAX;
}

int tf_schedule_run(const tf_globals *globals, const tf_audit_args *args, const tf_migration *migration)
{
    tf_error err = {0};
    watch w = {.globals = globals, .migration = migration, .args = args};
    tf_terms_of_json(migration->repair, &w.terms);
    use(&w, args);
    tf_webhook_begin();
    bool good = tf_attend_begin(&w.attend, &err) && start(&w, &err) && tf_outlet_begin(&err);
    if (good) {
        loop(&w);
        leave(&w);
    } else
        w.status = tf_output_error(&err, NULL, NULL, globals->json);
    tf_alerting_free(&w.alerting);
    tf_audit_kept_done(&w.result);
    tf_check_words_done(&w.checks);
    if (w.reloaded) {
        tf_options_done(&w.options);
        tf_config_done(&w.config);
        bson_free((void *)(uintptr_t)w.args);
    }
    tf_attend_done(&w.attend);
    tf_webhook_end();
    int unread = tf_outlet_end(STOP_PRINT_MS);
    if (unread && unread != EAGAIN) /* who does not read is no failure of ours */
        tf_output_lost(unread);
    return w.status;
}
