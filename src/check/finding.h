/* A finding: what one check of an audit reports. */
#ifndef TF_CHECK_FINDING_H
#define TF_CHECK_FINDING_H

#include <tokenfix/bson.h>
#include <tokenfix/migration.h>

typedef enum { TF_SEVERITY_NONE, TF_SEVERITY_LOW, TF_SEVERITY_MEDIUM, TF_SEVERITY_HIGH } tf_severity;

/* "none", "low", "medium", "high"; and back: NONE where there is none of that name. */
const char *tf_severity_name(tf_severity severity);
tf_severity tf_severity_of(const char *name);

enum { TF_FINDING_ID_SIZE = 17, TF_FINDING_EXAMPLES = 10 };

typedef struct tf_finding {
    char id[TF_FINDING_ID_SIZE]; /* the same for the same check of the same migration, narrowed in the same way */
    const tf_check *check;       /* borrowed */
    tf_severity severity;        /* NONE: nothing was found */
    int64_t count, amount;
    bool has_amount;
    bson_t *examples; /* array of at most TF_FINDING_EXAMPLES documents without secrets; owned */
} tf_finding;

void tf_finding_done(tf_finding *finding);

/* Fills the id: 16 hexadecimal digits of the SHA-256 over all three. */
void tf_finding_name(const char *migration, const char *check, const char *narrowing, char out[TF_FINDING_ID_SIZE]);

/* The severity of count and amount (0 where there is none) by the check's rules; NONE for a count of 0. */
tf_severity tf_finding_weigh(const tf_check *check, int64_t count, int64_t amount);

#endif
