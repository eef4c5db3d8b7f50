#include "cmd/single.h"

#include <tokenfix/cleanup.h>

#include "base/field.h"
#include "cmd/round.h"
#include "notify/webhook.h"
#include "report/output.h"
#include "store/audit.h"

enum { DELIVERY_MS = 90000 }; /* longer than three tries of all that there can be to tell */

bool tf_single_open(tf_single *single, const tf_audit_args *args, const tf_globals *globals, const tf_migration *migration,
                    tf_error *err)
{
    const char **names = tf_schedule_checks(migration);
    tf_webhook_begin();
    single->begun = true;
    snprintf(single->alerting.migration, sizeof single->alerting.migration, "%s", migration->id);
    bool good = tf_alerting_open(&single->alerting, &args->alerts, globals, names, err);
    free(names);
    return good;
}

void tf_single_done(tf_single *single)
{
    tf_alerting_free(&single->alerting);
    if (single->begun)
        tf_webhook_end();
    single->begun = false;
}

/* Without them what is open would be raised again. */
static void read_open(tf_alerts *open, const tf_engine *engine)
{
    _cleanup_(bson_destroyp) bson_t *alerts = NULL;
    tf_error err = {0};
    int64_t at = 0;
    int got = tf_audits_alerts(&engine->store, engine->migration->id, &alerts, &at, &err);
    if (got == 1)
        tf_alerts_read(alerts, open);
    else if (got < 0)
        tf_output_warning("which alerts are open is not known, they are told as if they were new: %s", err.message);
}

bool tf_single_tell(tf_single *single, const tf_audit_args *args, const tf_engine *engine, const tf_audit *audit, const tf_terms *terms,
                    bson_t *alerts)
{
    tf_alerting *alerting = &single->alerting;
    if (!tf_alerting_has_channels(alerting))
        return false;
    tf_conditions *conditions = bson_malloc0(sizeof *conditions);
    snprintf(alerting->database, sizeof alerting->database, "%s", engine->store.repaired);
    read_open(&alerting->open, engine);
    tf_conditions_add_audit(conditions, audit, terms, alerting);
    tf_conditions_add_time(conditions, "slow/audit", "the audit took", audit->elapsed_ms, args->alerts.slow_ms, args->alerts.stuck_ms);
    tf_alerting_round(alerting, conditions->items, conditions->count, conditions->looked, audit->at);
    tf_conditions_done(conditions);
    bson_free(conditions);
    tf_alerting_flush(alerting, DELIVERY_MS);
    tf_alerting_close(alerting, 0);
    _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
    bson_t array;
    tf_alerts_append(&alerting->open, &doc, "alerts");
    if (tf_field_view(&doc, "alerts", &array))
        bson_concat(alerts, &array);
    return true;
}
