/*
 * libbson, 1.21 up to 2.x, under the names of 1.21: what a later one renamed is mapped here, and nowhere else is a
 * version of the driver asked for.
 */
#ifndef TOKENFIX_BSON_H
#define TOKENFIX_BSON_H

#include <bson/bson.h>

/* 2.3 deprecates the name, for the keys 0, 1, 2… are the caller's to write; the function is there under a new one. */
#if BSON_CHECK_VERSION(2, 3, 0)
#define bson_append_array_begin bson_append_array_unsafe_begin
#endif

#ifdef TF_POISON /* tokenfix's own sources; gone in 2.0: bson_as_canonical_extended_json is there in all */
#pragma GCC poison bson_as_json bson_array_as_json
#endif

#endif
