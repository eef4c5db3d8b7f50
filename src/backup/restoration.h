/*
 * What giving back one document means, decided from three images: what stands there now, the pre-image (the backup), and
 * the prediction (the pre-image with the update applied). Pure: no server.
 *
 *   now = prediction                              → the pre-image, exactly
 *   now = pre-image                               → already done
 *   now differs, policy `fields`, every touched field but the update times still as predicted
 *                                                 → now, with the touched fields that hold the tool's value set back
 *   otherwise                                     → a conflict: left alone
 * A document whose touched fields changed since (a token spent again) is never given back.
 */
#ifndef TF_BACKUP_RESTORATION_H
#define TF_BACKUP_RESTORATION_H

#include <tokenfix/repair.h>

typedef enum {
    TF_RESTORE_EXACT,
    TF_RESTORE_ALREADY,
    TF_RESTORE_FIELDS,
    TF_RESTORE_CONFLICT
} tf_restoration;

/* `reason` (may be NULL) is set on a conflict: "changed since: status". */
tf_restoration tf_restoration_decide(const tf_repair *repair, const bson_t *now, const bson_t *before,
                                     const bson_t *prediction, bool fields_policy, char *reason, size_t reason_size);

/* The image of TF_RESTORE_FIELDS, appended to the initialised, empty *out. */
void tf_restoration_merge(const tf_repair *repair, const bson_t *now, const bson_t *before, const bson_t *prediction,
                          bson_t *out);

/* Whether `wanted` comes of `now` by giving touched fields other values or taking them away, every field left in its place:
 * then only they need to be written, and what others write meanwhile beside them survives. Not where a field comes back, the
 * order differs, or a changed name is there twice. */
bool tf_restoration_in_place(const tf_repair *repair, const bson_t *now, const bson_t *wanted);

#endif
