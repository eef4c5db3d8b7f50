/*
 * Cleanup by attribute: a variable declared `_cleanup_(bson_destroyp) bson_t *doc = NULL;` is released when it leaves
 * its scope. Destructors accept NULL. Declare client → session → cursor, so that they are released the other way round.
 * TAKE_PTR hands ownership on: `*out = TAKE_PTR(doc);`
 */
#ifndef TOKENFIX_CLEANUP_H
#define TOKENFIX_CLEANUP_H

#include <tokenfix/bson.h>
#include <mongoc/mongoc.h>
#include <stdio.h>
#include <stdlib.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

#define TAKE_PTR(p)                                                                                                    \
    ({                                                                                                                 \
        __typeof__(p) *tf_take_p = &(p);                                                                               \
        __typeof__(p) tf_take_v = *tf_take_p;                                                                          \
        *tf_take_p = NULL;                                                                                             \
        tf_take_v;                                                                                                     \
    })

/* Defines funcp(type *p), which calls func on a non-NULL *p: the form the attribute wants. */
#define TF_CLEANUP(type, func)                                                                                         \
    static inline __attribute__((unused)) void func##p(type *p)                                                        \
    {                                                                                                                  \
        if (*p)                                                                                                        \
            func(*p);                                                                                                  \
    }

TF_CLEANUP(bson_t *, bson_destroy)
TF_CLEANUP(mongoc_client_t *, mongoc_client_destroy)
TF_CLEANUP(mongoc_client_session_t *, mongoc_client_session_destroy)
TF_CLEANUP(mongoc_collection_t *, mongoc_collection_destroy)
TF_CLEANUP(mongoc_database_t *, mongoc_database_destroy)
TF_CLEANUP(mongoc_cursor_t *, mongoc_cursor_destroy)
TF_CLEANUP(mongoc_uri_t *, mongoc_uri_destroy)
TF_CLEANUP(mongoc_bulk_operation_t *, mongoc_bulk_operation_destroy)
TF_CLEANUP(mongoc_read_prefs_t *, mongoc_read_prefs_destroy)
TF_CLEANUP(FILE *, fclose)

static inline void tf_freep(void *p)
{
    free(*(void **)p);
}
static inline void tf_bson_freep(void *p)
{
    bson_free(*(void **)p);
}
/* for a bson_t on the stack: `_cleanup_(tf_bson_donep) bson_t doc = BSON_INITIALIZER;` */
static inline void tf_bson_donep(bson_t *p)
{
    bson_destroy(p);
}

#define _cleanup_free_ _cleanup_(tf_freep)
#define _cleanup_bson_ _cleanup_(tf_bson_donep)

#endif
