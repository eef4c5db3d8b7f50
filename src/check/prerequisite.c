#include "check/prerequisite.h"

#include <stdarg.h>

__attribute__((format(__printf__, 4, 0))) static void add(tf_prerequisite_list *list, tf_prerequisite row,
                                                          const char *hint, const char *format, va_list args)
{
    if (list->count == TF_PREREQUISITES_MAX)
        return;
    vsnprintf(row.message, sizeof row.message, format, args);
    if (hint)
        snprintf(row.hint, sizeof row.hint, "%s", hint);
    list->rows[list->count++] = row;
}

static tf_prerequisite named(const char *name, tf_prerequisite_state state, tf_error_code code)
{
    tf_prerequisite row = {.state = state, .code = code};
    snprintf(row.name, sizeof row.name, "%s", name);
    return row;
}

void tf_prerequisite_ok(tf_prerequisite_list *list, const char *name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(list, named(name, TF_PREREQUISITE_OK, TF_ERR_OK), NULL, format, args);
    va_end(args);
}

void tf_prerequisite_warn(tf_prerequisite_list *list, const char *name, const char *hint, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(list, named(name, TF_PREREQUISITE_WARNING, TF_ERR_OK), hint, format, args);
    va_end(args);
}

void tf_prerequisite_fail(tf_prerequisite_list *list, const char *name, tf_error_code code, const char *hint,
                          const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(list, named(name, TF_PREREQUISITE_FAILED, code), hint, format, args);
    va_end(args);
}

bool tf_prerequisite_unseen(tf_prerequisite_list *list, const char *name, const tf_error *why, tf_error *err)
{
    if (why->code == TF_ERR_CONNECT || (why->labels & TF_LABEL_NETWORK)) {
        if (err && err->code == TF_ERR_OK)
            *err = *why;
        return false;
    }
    if (why->code == TF_ERR_PERMISSION)
        tf_prerequisite_warn(list, name, "'tokenfix validate --print-role' prints the roles that can see it.",
                             "not visible with these privileges");
    else
        tf_prerequisite_warn(list, name, why->hint, "%s", why->message);
    return true;
}

const char *tf_prerequisite_state_name(tf_prerequisite_state state)
{
    static const char *const names[] = {"ok", "warning", "failed"};
    return names[state];
}

bool tf_prerequisites_check(const tf_prerequisite_input *input, tf_prerequisite_list *list, tf_error *err)
{
    static tf_prerequisite_row *const rows[] = {
        tf_prerequisite_connection,  tf_prerequisite_version, tf_prerequisite_topology, tf_prerequisite_privileges,
        tf_prerequisite_collections, tf_prerequisite_fields,  tf_prerequisite_index,    tf_prerequisite_index_cost,
        tf_prerequisite_disk,        tf_prerequisite_members, tf_prerequisite_runs,
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!rows[i](input, list, err))
            return false;
    return true;
}

bool tf_prerequisites_hold(const tf_prerequisite_list *list, tf_error *err)
{
    enum { EXIT_NOT_ALLOWED = 8 };
    const tf_prerequisite *worst = NULL;
    for (size_t i = 0; i < list->count; i++) {
        const tf_prerequisite *row = &list->rows[i];
        if (row->state == TF_PREREQUISITE_FAILED && (!worst || (tf_error_exit(row->code) == EXIT_NOT_ALLOWED &&
                                                                tf_error_exit(worst->code) != EXIT_NOT_ALLOWED)))
            worst = row;
    }
    if (!worst)
        return true;
    tf_error_set(err, worst->code, "%s%s", worst->code == TF_ERR_PERMISSION ? "Permission denied: " : "",
                 worst->message);
    return tf_error_hint(err, "%s", worst->hint);
}
