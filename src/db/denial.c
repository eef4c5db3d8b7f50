#include "db/denial.h"

#include <stdio.h>

const char *tf_denial_action(const char *command)
{
    static const char *const actions[][2] = {
        {"aggregate", "find"},          {"count", "find"},
        {"distinct", "find"},           {"getMore", "find"},
        {"delete", "remove"},           {"drop", "dropCollection"},
        {"create", "createCollection"}, {"createIndexes", "createIndex"},
        {"dropIndexes", "dropIndex"},   {"killSessions", "killAnySession"},
    };
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (strcmp(actions[i][0], command) == 0)
            return actions[i][1];
    return command;
}

/* Copies what stands before one of `ends`; where it stands in the text, NULL where it does not fit or does not end. */
static const char *copy_until(const char *from, const char *ends, char *into, size_t size)
{
    size_t length = strcspn(from, ends);
    if (!from[length] || length == 0 || length >= size)
        return NULL;
    snprintf(into, size, "%.*s", (int)length, from);
    return from + length;
}

static const char *behind(const char *text, const char *what)
{
    const char *found = strstr(text, what);
    return found ? found + strlen(what) : NULL;
}

/* { find: "things", …  or  { explain: { find: "things", …  or  { dbStats: 1, … */
static void read_command(const char *command, const char *db, tf_denial *out)
{
    char name[64], collection[192] = "";
    const char *at = copy_until(command + strspn(command, "{ "), ": ", name, sizeof name);
    if (!at)
        return;
    at += strspn(at, ": ");
    if (*at == '{' && strcmp(name, "explain") == 0) {
        read_command(at, db, out);
        return;
    }
    if (*at == '"' && !copy_until(at + 1, "\"", collection, sizeof collection))
        collection[0] = '\0';
    snprintf(out->action, sizeof out->action, "%s", tf_denial_action(name));
    snprintf(out->ns, sizeof out->ns, "%s%s%s", db, collection[0] ? "." : "", collection);
}

tf_denial tf_denial_read(const char *message)
{
    tf_denial denial = {0};
    char db[64];
    const char *at = behind(message, "not authorized on ");
    denial.anonymous = strstr(message, "requires authentication") != NULL;
    if (at && (at = copy_until(at, " ", db, sizeof db)) && (at = behind(at, "to execute command ")))
        read_command(at, db, &denial);
    return denial;
}
