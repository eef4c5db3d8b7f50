#include "cmd/role_report.h"

#include "base/text.h"
#include "cmd/connection.h"
#include "db/role.h"
#include "report/json.h"
#include "report/output.h"

static bool is(const char *kind, const char *name)
{
    return strcmp(kind, name) == 0;
}

static const char *purpose(const char *kind)
{
    return is(kind, "run")       ? "preview, up, verify, down, pause and cancel"
           : is(kind, "monitor") ? "seeing load and lag of the replica set"
           : is(kind, "auditor") ? "audits whose results are kept; beside status, preview, balance, verify and history"
           : is(kind, "audit")   ? "status, preview, balance, verify and history, which only read"
                                 : "deleting old backups and records";
}

/* In one database with the documents the tool's rights to read backups, to insert or to delete would reach them too. */
static bool check_databases(const tf_connection *connection, const char *kind, tf_error *err)
{
    if (is(kind, "monitor") || strcmp(connection->db, connection->state_db) != 0)
        return true;
    tf_error_set(err, TF_ERR_USAGE, "no least role can be cut while the state is kept in the repaired database");
    return tf_error_hint(err,
                         "The backups' names are not known beforehand, so the rights on them would have to cover every "
                         "collection of '%s'. Leave --state-db out, or name another database.",
                         connection->db);
}

/* {createRole: name, privileges: […], roles: []} */
static bool make_command(const tf_connection *connection, const tf_migration *migration, const char *kind, bson_t *out,
                         tf_error *err)
{
    _cleanup_bson_ bson_t privileges = BSON_INITIALIZER, none = BSON_INITIALIZER;
    _cleanup_(tf_repair_freep) tf_repair *repair = tf_repair_parse(migration->repair, err);
    char name[160];
    if (!repair)
        return false;
    tf_role_document(kind, connection->db, connection->state_db, repair->collection, migration->reads, &privileges);
    if (is(kind, "monitor"))
        snprintf(name, sizeof name, "tokenfix_monitor");
    else
        snprintf(name, sizeof name, "tokenfix_%s_%s", kind, connection->db);
    BSON_APPEND_UTF8(out, "createRole", name);
    BSON_APPEND_ARRAY(out, "privileges", &privileges);
    BSON_APPEND_ARRAY(out, "roles", &none);
    return true;
}

static void print_shell(FILE *out, const bson_t *command)
{
    fputs("db.getSiblingDB(\"admin\").runCommand(", out);
    tf_json_print(out, command);
    fputs(")\n", out);
}

static void print_text(const bson_t *command, const char *kind)
{
    bson_iter_t iter;
    const char *name = bson_iter_init_find(&iter, command, "createRole") ? bson_iter_utf8(&iter, NULL) : "";
    printf("// The least role for %s. Run this in mongosh as somebody who may create roles.\n", purpose(kind));
    print_shell(stdout, command);
    printf("\n// Then a user who has it; the password is asked for. A user may have several roles.\n"
           "db.getSiblingDB(\"admin\").createUser({user: \"tokenfix\", pwd: passwordPrompt(), roles: [\"%s\"]})\n",
           name);
}

static void print_json(const bson_t *command, const char *kind)
{
    _cleanup_bson_ bson_t data = BSON_INITIALIZER;
    _cleanup_free_ char *shell = NULL;
    size_t size = 0;
    FILE *memory = tf_text_stream(&shell, &size);
    if (memory) {
        print_shell(memory, command);
        fclose(memory);
    }
    BSON_APPEND_UTF8(&data, "kind", kind);
    BSON_APPEND_UTF8(&data, "database", "admin");
    BSON_APPEND_DOCUMENT(&data, "command", command);
    BSON_APPEND_UTF8(&data, "mongosh", shell ? shell : "");
    tf_output_success(&data);
}

int tf_role_report(const tf_globals *globals, const tf_migration *migration, const char *kind)
{
    tf_error err = {0};
    _cleanup_(tf_connection_done) tf_connection connection = {0};
    _cleanup_bson_ bson_t command = BSON_INITIALIZER;
    if (!tf_connection_names(globals, &connection, &err) || !check_databases(&connection, kind, &err) ||
        !make_command(&connection, migration, kind, &command, &err))
        return tf_output_error(&err, NULL, NULL, globals->json);
    if (globals->json)
        print_json(&command, kind);
    else
        print_text(&command, kind);
    return 0;
}
