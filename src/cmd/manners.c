#include "cmd/manners.h"

static bool read_limits(const tf_strings *texts, const char *option, tf_load_limit *into, tf_error *err)
{
    if (texts->count > TF_MANNERS_LIMITS)
        return tf_error_set(err, TF_ERR_USAGE, "option '--%s' is given more than %d times", option, TF_MANNERS_LIMITS);
    for (size_t i = 0; i < texts->count; i++)
        if (!tf_load_parse(texts->items[i], option, &into[i], err))
            return false;
    return true;
}

bool tf_manners_read(tf_manners_args *args, tf_settings *settings, tf_error *err)
{
    if (!read_limits(&args->max_load, "max-load", args->loads, err) ||
        !read_limits(&args->critical_load, "critical-load", args->criticals, err))
        return false;
    settings->manners = (tf_manners){.batch_ms = (int64_t)(args->batch_time * 1000),
                                     .max_lag_ms = (int64_t)(args->max_lag * 1000),
                                     .nice = args->nice,
                                     .pause_file = args->pause_file,
                                     .max_load = args->loads,
                                     .max_loads = args->max_load.count,
                                     .critical_load = args->criticals,
                                     .critical_loads = args->critical_load.count};
    return true;
}
