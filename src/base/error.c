#include <tokenfix/error.h>

#include <stdarg.h>

static const struct {
    const char *name;
    int exit;
} table[] = {
#define TF_ERROR_ROW(name, exit) [TF_ERR_##name] = {#name, exit},
    TF_ERROR_TABLE(TF_ERROR_ROW)
#undef TF_ERROR_ROW
};

__attribute__((format(printf, 3, 0))) static void fill(char *into, size_t size, const char *format, va_list args)
{
    vsnprintf(into, size, format, args);
}

bool tf_error_set(tf_error *err, tf_error_code code, const char *format, ...)
{
    if (!err || err->code != TF_ERR_OK)
        return false;
    err->code = code;
    va_list args;
    va_start(args, format);
    fill(err->message, sizeof err->message, format, args);
    va_end(args);
    return false;
}

bool tf_error_hint(tf_error *err, const char *format, ...)
{
    if (!err || err->hint[0])
        return false;
    va_list args;
    va_start(args, format);
    fill(err->hint, sizeof err->hint, format, args);
    va_end(args);
    return false;
}

bool tf_error_detail(tf_error *err, const char *format, ...)
{
    if (!err || err->detail[0])
        return false;
    va_list args;
    va_start(args, format);
    fill(err->detail, sizeof err->detail, format, args);
    va_end(args);
    return false;
}

bool tf_error_errno(tf_error *err, int errnum, const char *format, ...)
{
    if (!err || err->code != TF_ERR_OK)
        return false;
    err->code = TF_ERR_SYSTEM;
    err->server_code = errnum;
    va_list args;
    va_start(args, format);
    fill(err->message, sizeof err->message, format, args);
    va_end(args);
    snprintf(err->detail, sizeof err->detail, "%s", strerror(errnum));
    return false;
}

void tf_error_clear(tf_error *err)
{
    *err = (tf_error){0};
}

int tf_error_exit(tf_error_code code)
{
    return table[code].exit;
}

const char *tf_error_name(tf_error_code code)
{
    return table[code].name;
}
