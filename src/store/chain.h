/*
 * The chain of events, examined one by one in their order, in constant memory, until its first break. It knows no server: the
 * trail of a database and an exported file are examined alike.
 */
#ifndef TF_STORE_CHAIN_H
#define TF_STORE_CHAIN_H

#include "base/key.h"
#include "store/event.h"

/* X(name, as it is told, what it means) */
#define TF_BREAK_TABLE(X)                                                                                              \
    X(NONE, "none", "the chain is whole")                                                                              \
    X(CONTENT, "content", "the event is not as it was written")                                                        \
    X(LINK, "link", "the event does not follow from the one before")                                                   \
    X(NUMBER, "number", "a number is missing, or not in order")                                                        \
    X(START, "start", "the beginning was cut off")                                                                     \
    X(END, "end", "the newest events were cut off")                                                                    \
    X(WITNESS, "witness", "the event is another than the one somebody wrote down")                                     \
    X(SIGNATURE, "signature", "the signature is not that of the event")                                                \
    X(UNSIGNED, "unsigned", "a signature is missing")                                                                  \
    X(KEY, "key", "the event is signed with a key that was not given")                                                 \
    X(ARCHIVED, "archived", "the event somebody wrote down is said to be elsewhere, and was not compared")             \
    X(FORM, "form", "what is there is no event")

typedef enum tf_break {
#define TF_BREAK_ENUM(name, text, meaning) TF_BREAK_##name,
    TF_BREAK_TABLE(TF_BREAK_ENUM)
#undef TF_BREAK_ENUM
} tf_break;

const char *tf_break_name(tf_break kind);

typedef struct tf_chain {
    const tf_key *const *keys; /* signatures are examined with these; borrowed */
    size_t keys_count;         /* 0: signatures are only counted */
    bool any_start;            /* what is before the first event is elsewhere: a file */
    tf_head before;            /* the chain goes on behind this; seq 0: it begins with event 1 */
    int64_t first, count;      /* number of the first event; how many */
    tf_head last;              /* of those added */
    int64_t signed_count, first_signed, last_signed;
    tf_break broken;
    int64_t at;     /* the number of the event where it is broken */
    char text[360]; /* what is broken, for people */
} tf_chain;

/* Begins. What `keys` point to outlives the chain. */
void tf_chain_init(tf_chain *chain, const tf_key *const *keys, size_t keys_count);

/* The chain goes on behind this event, which is elsewhere (archived). Before the first is added. */
void tf_chain_after(tf_chain *chain, const tf_head *head);

/* The next event as stored. False from the first break on: broken, at and text say where and what. */
bool tf_chain_add(tf_chain *chain, const bson_t *event);

/* Breaks it from outside. */
void tf_chain_break(tf_chain *chain, tf_break kind, int64_t at, const char *text);

/* What somebody wrote down of an event: compared where it is the last one added, or lies beyond it and no more come
 * (`ended`). Whatever lies before is passed over. `who` names the witness. */
bool tf_chain_compare(tf_chain *chain, const tf_head *witness, const char *who, bool ended);

/* At the end, of a witness that lies before the first event: compared with what that one names before itself; what is further
 * back cannot be compared here, and is no proof: it breaks the chain (ARCHIVED). `where` names the place it may be in. */
bool tf_chain_compare_before(tf_chain *chain, const tf_head *witness, const char *who, const char *where);

/* After the last event: where keys were given something must be signed with them. */
bool tf_chain_end(tf_chain *chain);

#endif
