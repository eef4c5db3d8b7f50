/* Alerts of a single audit: as in a round, but the process ends, so they are delivered before it keeps which are open. */
#ifndef TF_CMD_SINGLE_H
#define TF_CMD_SINGLE_H

#include "cmd/terms.h"
#include "cmd/schedule.h"

typedef struct tf_single {
    tf_alerting alerting;
    bool begun;
} tf_single;

/* Before the audit, so that a mistake in the options costs no time. Zero-initialise; free with tf_single_done. */
bool tf_single_open(tf_single *single, const tf_audit_args *args, const tf_globals *globals, const tf_migration *migration,
                    tf_error *err);
void tf_single_done(tf_single *single);

/* Tells what has changed since the audit that is kept last, waits until that is delivered or was tried three times, and fills
 * `alerts` (initialised, empty): what is open now, as an array. False, and nothing is told, where there is nobody to tell. */
bool tf_single_tell(tf_single *single, const tf_audit_args *args, const tf_engine *engine, const tf_audit *audit, const tf_terms *terms,
                    bson_t *alerts);

#endif
