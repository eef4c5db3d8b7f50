#include "cmd/confirm.h"

#include "base/text.h"
#include "cmd/prompt.h"

bool tf_confirm_given(bool yes)
{
    const char *variable = getenv("CONFIRM_MIGRATION");
    return yes || (variable && strcmp(variable, "yes") == 0);
}

const char *tf_confirm_how(bool yes)
{
    return yes ? "--yes" : tf_confirm_given(yes) ? "CONFIRM_MIGRATION" : "terminal";
}

bool tf_confirm(const char *question, const char *db, bool yes, tf_error *err)
{
    if (tf_confirm_given(yes))
        return true;

    char asked[512], clean[512], answer[128];
    snprintf(asked, sizeof asked,
             "%s\nType the database's name to go on: ", tf_text_clean(question, clean, sizeof clean / 2));
    if (tf_prompt(asked, true, answer, sizeof answer) && strcmp(answer, db) == 0)
        return true;
    if (answer[0]) {
        tf_error_set(err, TF_ERR_CONFIRM, "'%s' is not the database's name: nothing was changed", TF_WORD(answer));
        return tf_error_hint(err, "The database is '%s'.", TF_WORD(db));
    }
    tf_error_set(err, TF_ERR_CONFIRM, "not confirmed: nothing was changed");
    return tf_error_hint(err, "Type the database's name on a terminal, or give --yes or set CONFIRM_MIGRATION=yes.");
}
