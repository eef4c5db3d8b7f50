#include "check/finding.h"

#include "base/hash.h"

#include <string.h>

static const char *const names[] = {"none", "low", "medium", "high"};

const char *tf_severity_name(tf_severity severity)
{
    return names[severity];
}

tf_severity tf_severity_of(const char *name)
{
    for (tf_severity s = TF_SEVERITY_LOW; name && s <= TF_SEVERITY_HIGH; s++)
        if (strcmp(names[s], name) == 0)
            return s;
    return TF_SEVERITY_NONE;
}

void tf_finding_done(tf_finding *finding)
{
    if (finding->examples)
        bson_destroy(finding->examples);
    *finding = (tf_finding){0};
}

void tf_finding_name(const char *migration, const char *check, const char *narrowing, char out[TF_FINDING_ID_SIZE])
{
    const char *const parts[] = {migration, check, narrowing};
    _cleanup_(tf_sha256_freep) tf_sha256 *hash = tf_sha256_new();
    uint8_t bytes[TF_SHA256_SIZE];
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        tf_sha256_add(hash, parts[i], strlen(parts[i]) + 1); /* with its end, which keeps the parts apart */
    tf_sha256_finish(hash, bytes);
    tf_hex(bytes, (TF_FINDING_ID_SIZE - 1) / 2, out);
}

tf_severity tf_finding_weigh(const tf_check *check, int64_t count, int64_t amount)
{
    bool many = check->high_above > 0 && count > check->high_above;
    bool much = check->high_above_amount > 0 && (amount > check->high_above_amount || amount < -check->high_above_amount);
    if (count <= 0)
        return TF_SEVERITY_NONE;
    return many || much ? TF_SEVERITY_HIGH : tf_severity_of(check->severity);
}
