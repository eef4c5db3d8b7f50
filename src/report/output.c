#include "report/output.h"

#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

#include "base/redact.h"
#include "base/text.h"
#include "report/json.h"
#include "report/log.h"
#include "report/terminal.h"

/* Errors are 512 bytes at most; hiding a password may lengthen them. */
enum { LINE = 2048 };

static int write_error; /* errno of the first failed write, known where it was seen */

/* Of several databases: the one whose answer is written. */
static struct {
    bool many, json;
    const char *db;   /* NULL: none */
    size_t count;
    bool answered;    /* its object was begun */
    bool failed;      /* of one of them the answer is no success */
    tf_error first;   /* the first error that an answer had */
} several;

/* A write that fails sets the stream's error flag but not the reason; so the flush here asks for it. */
static void flush(void)
{
    errno = 0;
    if ((fflush(stdout) != 0 || ferror(stdout)) && !write_error)
        write_error = errno ? errno : EIO;
}

/* Begins the object of an answer, or of one among several. */
static void open_answer(void)
{
    if (!several.many || !several.json) {
        fputs("{\n  ", stdout);
        return;
    }
    bson_t name = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&name, "db", several.db ? several.db : "");
    fputs(several.count++ ? ",\n      {\n        " : "\n      {\n        ", stdout);
    tf_json_print_members(stdout, &name, 4);
    fputs(",\n        ", stdout);
    bson_destroy(&name);
    several.answered = true;
}

static void print_answer(const bson_t *answer, bool success)
{
    several.failed = several.failed || !success;
    if (several.many && several.json) {
        open_answer();
        tf_json_print_members(stdout, answer, 4);
    } else {
        tf_json_print(stdout, answer);
    }
    flush();
}

void tf_output_success(const bson_t *data)
{
    bson_t answer = BSON_INITIALIZER;
    BSON_APPEND_BOOL(&answer, "success", true);
    BSON_APPEND_DOCUMENT(&answer, "data", data);
    print_answer(&answer, true);
    bson_destroy(&answer);
}

static void append_text(bson_t *to, const char *name, const char *text)
{
    char redacted[LINE], clean[LINE];
    BSON_APPEND_UTF8(to, name, tf_text_clean(tf_redact_text(text, redacted, sizeof redacted), clean, sizeof clean));
}

/* What the server or the system refused, and nobody on the way knew a better hint for. */
static const char *hint_of(const tf_error *err)
{
    if (err->hint[0])
        return err->hint;
    switch (err->code) {
    case TF_ERR_SERVER:
    case TF_ERR_TRANSIENT:
    case TF_ERR_REFUSED_WRITE:
        return "The server's log says more; 'tokenfix status' shows where things stand.";
    case TF_ERR_USAGE:
        return "'tokenfix help COMMAND' says what may be given.";
    case TF_ERR_SYSTEM:
        return "Look at permissions, limits and free space of what the message names, then try again.";
    case TF_ERR_MEMORY:
        return "Give the process more memory, or a run a smaller --batch-size; 'tokenfix status' shows where things stand.";
    case TF_ERR_INTERNAL:
        return "That is a bug of tokenfix; 'tokenfix status' shows where things stand.";
    case TF_ERR_NOT_WRITABLE:
        return "The primary may just be changing: try again; 'tokenfix status' shows where things stand.";
    default:
        return "";
    }
}

static void log_error(const tf_error *err, const char *run)
{
    const tf_log_fields fields = {.code = tf_error_name(err->code), .detail = err->detail, .hint = hint_of(err), .run = run};
    tf_log(TF_LOG_ERROR, &fields, "%s", err->message);
}

static void append_error(const tf_error *err, const char *run, const bson_t *preview, bson_t *answer)
{
    bson_t error;
    if (several.many && several.first.code == TF_ERR_OK) {
        several.first = *err;
        snprintf(several.first.message, sizeof several.first.message, "%s: %s", several.db ? several.db : "", err->message);
    }
    BSON_APPEND_DOCUMENT_BEGIN(answer, "error", &error);
    BSON_APPEND_UTF8(&error, "code", tf_error_name(err->code));
    append_text(&error, "message", err->message);
    append_text(&error, "hint", hint_of(err));
    if (err->detail[0])
        append_text(&error, "detail", err->detail);
    BSON_APPEND_INT32(&error, "exit", tf_error_exit(err->code));
    if (run)
        BSON_APPEND_UTF8(&error, "run", run);
    if (preview)
        BSON_APPEND_DOCUMENT(&error, "preview", preview);
    bson_append_document_end(answer, &error);
}

static void error_as_json(const tf_error *err, const char *run, const bson_t *preview, const bson_t *data)
{
    bson_t answer = BSON_INITIALIZER;
    BSON_APPEND_BOOL(&answer, "success", false);
    if (data)
        BSON_APPEND_DOCUMENT(&answer, "data", data);
    append_error(err, run, preview, &answer);
    print_answer(&answer, false);
    bson_destroy(&answer);
}

void tf_output_open(void)
{
    open_answer();
}

void tf_output_close(const tf_error *err)
{
    bson_t rest = BSON_INITIALIZER;
    if (err)
        log_error(err, NULL);
    BSON_APPEND_BOOL(&rest, "success", !err);
    if (err)
        append_error(err, NULL, NULL, &rest);
    several.failed = several.failed || err;
    fputs(several.answered ? "\n        " : "\n  ", stdout);
    tf_json_print_members(stdout, &rest, several.answered ? 4 : 1);
    if (!several.answered)
        fputs("\n}\n", stdout);
    bson_destroy(&rest);
    flush();
}

/* ---- several databases ---- */

void tf_output_begin_many(bool json)
{
    several.many = true;
    several.json = json;
    if (json)
        fputs("{\n  \"data\": {\n    \"databases\": [", stdout);
}

void tf_output_begin_one(const char *db)
{
    several.db = db;
    several.answered = false;
    tf_log_about(db);
}

void tf_output_end_one(int exit)
{
    bson_t rest = BSON_INITIALIZER;
    several.failed = several.failed || (exit != 0 && exit != 3);
    BSON_APPEND_INT32(&rest, "exit", exit);
    if (several.json) {
        if (!several.answered)
            open_answer();
        else
            fputs(",\n        ", stdout);
        tf_json_print_members(stdout, &rest, 4);
        fputs("\n      }", stdout);
    }
    bson_destroy(&rest);
    several.db = NULL;
    several.answered = false;
    tf_log_about(NULL);
    flush();
}

void tf_output_end_many(int exit)
{
    bson_t rest = BSON_INITIALIZER;
    several.many = false;
    BSON_APPEND_BOOL(&rest, "success", !several.failed);
    if (several.failed && several.first.code != TF_ERR_OK)
        append_error(&several.first, NULL, NULL, &rest);
    if (several.json) {
        printf("%s],\n    \"exit\": %d\n  },\n  ", several.count ? "\n    " : "", exit);
        tf_json_print_members(stdout, &rest, 1);
        fputs("\n}\n", stdout);
    }
    bson_destroy(&rest);
    flush();
}

/* `label` coloured, and the text behind it wrapped under itself. */
static void line(const char *label, const char *color, size_t indent, const char *text)
{
    tf_terminal terminal = tf_terminal_of(stderr);
    char redacted[LINE], clean[LINE], named[LINE + 80];
    if (several.db && strncmp(label, "tokenfix: ", 10) == 0) {
        snprintf(named, sizeof named, "%s: %s", several.db, text);
        text = named;
    }
    tf_text_clean(tf_redact_text(text, redacted, sizeof redacted), clean, sizeof clean);
    if (terminal.color)
        fprintf(stderr, "\033[%sm%s\033[0m", color, label);
    else
        fputs(label, stderr);
    tf_text_wrap(stderr, clean, strlen(label), indent, terminal.width);
}

static int output(const tf_error *err, const char *run, const bson_t *preview, const bson_t *data, bool json)
{
    log_error(err, run);
    if (json) {
        error_as_json(err, run, preview, data);
    } else if (!tf_log_has_stderr()) {
        fflush(stdout);
        line("tokenfix: ", "1;31", 2, err->message);
        if (err->detail[0] && strcmp(err->detail, err->message) != 0)
            line("  detail: ", "2", 4, err->detail);
        if (hint_of(err)[0])
            line("hint: ", "1;36", 2, hint_of(err));
    }
    return tf_error_exit(err->code);
}

int tf_output_error(const tf_error *err, const char *run, const bson_t *preview, bool json)
{
    return output(err, run, preview, NULL, json);
}

int tf_output_failure(const tf_error *err, const char *run, const bson_t *data, bool json)
{
    return output(err, run, NULL, data, json);
}

static void message(tf_log_level level, const char *label, const char *color, const char *format, va_list args)
    __attribute__((format(printf, 4, 0)));
static void message(tf_log_level level, const char *label, const char *color, const char *format, va_list args)
{
    char text[LINE];
    vsnprintf(text, sizeof text, format, args);
    fflush(stdout);
    tf_log(level, NULL, "%s", text);
    if (!tf_log_has_stderr())
        line(label, color, 2, text);
}

void tf_output_warning(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    message(TF_LOG_WARNING, "tokenfix: warning: ", "1;33", format, args);
    va_end(args);
}

void tf_output_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    message(TF_LOG_INFO, "tokenfix: ", "1", format, args);
    va_end(args);
}

void tf_output_ended(void)
{
    static const char text[] = "\ntokenfix: ended where it stood, as killed; what was committed stays: 'tokenfix status' says how to go on\n";
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
}

void tf_output_lost(int reason)
{
    if (!write_error)
        write_error = reason;
}

int tf_output_finish(int status)
{
    flush();
    if (!write_error || (status != 0 && status != 3))
        return status;
    tf_error err = {0};
    tf_error_set(&err, TF_ERR_OUTPUT, "standard output cannot be written");
    tf_error_detail(&err, "%s", strerror(write_error));
    tf_error_hint(&err, "What was to be shown is lost, what was done is not: 'tokenfix status' tells.");
    return tf_output_error(&err, NULL, NULL, false);
}
