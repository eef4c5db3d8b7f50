/* Which privilege an error 13 is about. The server says which command it refused, not what it would have taken. */
#ifndef TF_DB_DENIAL_H
#define TF_DB_DENIAL_H

#include <stdbool.h>

typedef struct tf_denial {
    bool anonymous;  /* nobody is logged in */
    char action[64]; /* "find"; empty where the message does not tell */
    char ns[256];    /* "db.collection" or "db" */
} tf_denial;

/* Reads the server's message. Nothing of the command but its name and its collection is taken over. */
tf_denial tf_denial_read(const char *message);

/* The privilege that a command needs, as MongoDB's documentation calls it: "aggregate" needs "find". */
const char *tf_denial_action(const char *command);

#endif
