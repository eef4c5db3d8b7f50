#include "check/prerequisite.h"

#include "db/role.h"

#include <tokenfix/cleanup.h>

/* What is needed is what the printed role grants: one place says it. */

static const char role_hint[] = "'tokenfix validate --print-role' prints the role; grant it to this user.";

typedef struct gap {
    char text[384];
    size_t count;
} gap;

typedef struct survey {
    const tf_prerequisite_input *input;
    const tf_privileges *held;
    gap blocking[2]; /* [0] the repaired database, [1] the state database */
    gap hampering[2];
} survey;

static bool is_one_of(const char *word, const char *const *words)
{
    for (; words && *words; words++)
        if (strcmp(*words, word) == 0)
            return true;
    return false;
}

/* Without these the tool works, but sees less. */
static bool is_only_for_looking(const survey *s, const char *collection, const char *action)
{
    static const char *const facts[] = {"listIndexes", "listCollections", "collStats", "dbStats", NULL};
    return is_one_of(action, facts) || is_one_of(collection, s->input->reads);
}

/* "find, update on db.collection; insert on …" */
static void note(gap *to, const char *actions, const char *db, const char *collection)
{
    size_t used = strlen(to->text);
    if (!*actions)
        return;
    snprintf(to->text + used, sizeof to->text - used, "%s%s on %s%s%s", used ? "; " : "", actions, db,
             *collection ? "." : "", collection);
    to->count++;
}

static void join(char *to, size_t size, const char *action)
{
    size_t used = strlen(to);
    snprintf(to + used, size - used, "%s%s", used ? ", " : "", action);
}

static const char *text_at(const bson_t *doc, const char *path)
{
    bson_iter_t iter, at;
    return bson_iter_init(&iter, doc) && bson_iter_find_descendant(&iter, path, &at) && BSON_ITER_HOLDS_UTF8(&at)
               ? bson_iter_utf8(&at, NULL)
               : "";
}

/* An insert creates the collection, so the server takes it for the right to create one. */
static bool is_held(const survey *s, const char *db, const char *collection, const char *action)
{
    return tf_privilege_held(s->held, db, collection, action) ||
           (strcmp(action, "createCollection") == 0 && tf_privilege_held(s->held, db, collection, "insert"));
}

/* In the repaired database the tool's own collections have a prefix. */
static void look_at(survey *s, const bson_t *privilege, bool state)
{
    const tf_client *client = s->input->client;
    const char *db = state ? client->state_db : client->db;
    const char *collection = text_at(privilege, "resource.collection");
    tf_name own = tf_store_name(s->input->store, collection);
    bson_iter_t iter, action;
    if (state && *collection)
        collection = own.text;
    if (!bson_iter_init_find(&iter, privilege, "actions") || !bson_iter_recurse(&iter, &action))
        return;
    char blocking[192] = "", hampering[192] = "";
    while (bson_iter_next(&action)) {
        const char *name = bson_iter_utf8(&action, NULL);
        bool looking = is_only_for_looking(s, collection, name);
        if (!is_held(s, db, collection, name))
            join(looking ? hampering : blocking, sizeof blocking, name);
    }
    note(&s->blocking[state], blocking, db, collection);
    note(&s->hampering[state], hampering, db, collection);
}

static void survey_role(survey *s)
{
    /* stand-ins, so that the two databases can be told apart also where they are one */
    _cleanup_bson_ bson_t role = BSON_INITIALIZER;
    tf_role_document("run", "repaired", "state", s->input->repair->collection, s->input->reads, &role);
    bson_iter_t iter;
    bson_t privilege;
    const uint8_t *data = NULL;
    uint32_t length = 0;
    for (bson_iter_init(&iter, &role); bson_iter_next(&iter);) {
        bson_iter_document(&iter, &length, &data);
        if (bson_init_static(&privilege, data, length))
            look_at(s, &privilege, strcmp(text_at(&privilege, "resource.db"), "state") == 0);
    }
}

static void report(const survey *s, bool state, const char *name, tf_prerequisite_list *list)
{
    const tf_client *client = s->input->client;
    const char *db = state ? client->state_db : client->db;
    const gap *blocking = &s->blocking[state], *hampering = &s->hampering[state];
    const char *user = tf_privileges_user(s->held);
    if (blocking->count)
        tf_prerequisite_fail(list, name, TF_ERR_PERMISSION,
                             user ? role_hint : "Log in: access control is on, and the connection names no user.",
                             "%s lacks %s", user ? user : "a connection without a user", blocking->text);
    else if (hampering->count)
        tf_prerequisite_warn(list, name, role_hint, "%s may do the repair, but lacks %s: less is visible",
                             user ? user : "this connection", hampering->text);
    else if (s->held->everything)
        tf_prerequisite_ok(list, name, "access control is off: everything is allowed on %s", db);
    else
        tf_prerequisite_ok(list, name, "%s may do all that is needed on %s", user ? user : "this connection", db);
}

void tf_prerequisite_held(const tf_prerequisite_input *input, const tf_privileges *held, tf_prerequisite_list *list)
{
    survey s = {.input = input, .held = held};
    survey_role(&s);
    report(&s, false, "privileges", list);
    if (strcmp(input->client->db, input->client->state_db) == 0 && s.blocking[true].count == 0)
        tf_prerequisite_warn(list, "state_privileges",
                             "Keep the state apart (leave --state-db out) where a role shall be cut exactly.",
                             "the state is kept in the repaired database: who may read it may read the backups, which "
                             "hold what the documents held");
    else
        report(&s, true, "state_privileges", list);
}

bool tf_prerequisite_privileges(const tf_prerequisite_input *input, tf_prerequisite_list *list, tf_error *err)
{
    tf_privileges held = {0};
    tf_error one = {0};
    if (!tf_privileges_read(input->client->client, &held, &one))
        return tf_prerequisite_unseen(list, "privileges", &one, err);
    tf_prerequisite_held(input, &held, list);
    tf_privileges_done(&held);
    return true;
}
