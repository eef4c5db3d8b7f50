#include "store/chain.h"

#include "base/docs.h"
#include "base/field.h"
#include "base/hash.h"
#include "store/form.h"

#include <inttypes.h>
#include <stdarg.h>

static const char *const names[] = {
#define TF_BREAK_NAME(name, text, meaning) [TF_BREAK_##name] = text,
    TF_BREAK_TABLE(TF_BREAK_NAME)
#undef TF_BREAK_NAME
};

const char *tf_break_name(tf_break kind)
{
    return names[kind];
}

void tf_chain_init(tf_chain *chain, const tf_key *const *keys, size_t keys_count)
{
    *chain = (tf_chain){.keys = keys, .keys_count = keys_count};
}

void tf_chain_after(tf_chain *chain, const tf_head *head)
{
    chain->before = chain->last = *head;
}

__attribute__((format(printf, 4, 5))) static bool breaks(tf_chain *chain, tf_break kind, int64_t at, const char *format, ...)
{
    va_list args;
    if (chain->broken != TF_BREAK_NONE)
        return false;
    chain->broken = kind;
    chain->at = at;
    va_start(args, format);
    vsnprintf(chain->text, sizeof chain->text, format, args);
    va_end(args);
    return false;
}

void tf_chain_break(tf_chain *chain, tf_break kind, int64_t at, const char *text)
{
    breaks(chain, kind, at, "%s", text);
}

/* ---- one event ---- */

static bool number_of(const bson_t *event, int64_t *seq)
{
    bson_iter_t iter;
    if (!bson_iter_init_find(&iter, event, "_id") || !BSON_ITER_HOLDS_INT64(&iter))
        return false;
    *seq = bson_iter_int64(&iter);
    return *seq >= 1 && *seq < TF_FORM_LARGEST;
}

static bool check_number(tf_chain *chain, int64_t seq)
{
    int64_t expected = chain->last.seq + 1;
    if (seq == expected || (chain->any_start && chain->count == 0))
        return true;
    if (chain->count == 0 && seq > expected)
        return breaks(chain, TF_BREAK_START, expected,
                      "the beginning was cut off: events %" PRId64 " to %" PRId64 " are missing, and no archive took them", expected, seq - 1);
    if (seq == expected + 1)
        return breaks(chain, TF_BREAK_NUMBER, expected, "event %" PRId64 " is missing", expected);
    if (seq > expected)
        return breaks(chain, TF_BREAK_NUMBER, expected, "events %" PRId64 " to %" PRId64 " are missing", expected, seq - 1);
    return breaks(chain, TF_BREAK_NUMBER, seq, "event %" PRId64 " stands behind event %" PRId64, seq, chain->last.seq);
}

/* Of a file that begins anywhere only the number says whether there is something before it. */
static bool check_link(const tf_chain *chain, const bson_t *event, int64_t seq)
{
    uint8_t link[32];
    if (chain->any_start && chain->count == 0 && seq > 1)
        return tf_field_hash(event, "previous", link);
    return tf_event_links(event, seq > 1 ? chain->last.hash : NULL);
}

static const tf_key *key_of(const tf_chain *chain, const uint8_t fingerprint[32])
{
    for (size_t i = 0; i < chain->keys_count; i++)
        if (memcmp(tf_key_fingerprint(chain->keys[i]), fingerprint, TF_FINGERPRINT_SIZE) == 0)
            return chain->keys[i];
    return NULL;
}

static bool read_signature(const bson_t *event, uint8_t signature[TF_SIGNATURE_SIZE])
{
    bson_iter_t iter;
    uint32_t length = 0;
    const uint8_t *data = NULL;
    if (!bson_iter_init_find(&iter, event, "signature") || !BSON_ITER_HOLDS_BINARY(&iter))
        return false;
    bson_iter_binary(&iter, NULL, &length, &data);
    if (length == TF_SIGNATURE_SIZE)
        memcpy(signature, data, length);
    return length == TF_SIGNATURE_SIZE;
}

static bool check_signature(tf_chain *chain, const bson_t *event, int64_t seq, const uint8_t hash[32])
{
    uint8_t fingerprint[TF_FINGERPRINT_SIZE], signature[TF_SIGNATURE_SIZE];
    char hex[2 * TF_FINGERPRINT_SIZE + 1];
    if (!bson_has_field(event, "key")) {
        if (bson_has_field(event, "signature"))
            return breaks(chain, TF_BREAK_CONTENT, seq, "event %" PRId64 " was altered: it has a signature and names no key", seq);
        if (chain->keys_count && chain->first_signed)
            return breaks(chain, TF_BREAK_UNSIGNED, seq, "event %" PRId64 " is not signed, though event %" PRId64 " before it is", seq, chain->last_signed);
        return true;
    }
    if (!tf_field_hash(event, "key", fingerprint) || !read_signature(event, signature))
        return breaks(chain, TF_BREAK_UNSIGNED, seq, "event %" PRId64 " names the key it was signed with, and its signature is missing", seq);
    const tf_key *key = key_of(chain, fingerprint);
    tf_hex(fingerprint, sizeof fingerprint, hex);
    if (chain->keys_count && !key)
        return breaks(chain, TF_BREAK_KEY, seq, "event %" PRId64 " is signed with a key that was not given: %s", seq, hex);
    if (key && !tf_key_fits(key, hash, signature))
        return breaks(chain, TF_BREAK_SIGNATURE, seq, "the signature of event %" PRId64 " is not that of key %s", seq, hex);
    chain->signed_count++;
    chain->last_signed = seq;
    if (!chain->first_signed)
        chain->first_signed = seq;
    return true;
}

bool tf_chain_add(tf_chain *chain, const bson_t *event)
{
    int64_t seq = 0, next = chain->last.seq + 1;
    uint8_t own[32], carried[32];
    if (chain->broken != TF_BREAK_NONE)
        return false;
    if (!tf_doc_is_sound(event))
        return breaks(chain, TF_BREAK_FORM, next, "where event %" PRId64 " should be is no BSON, or it is nested too deeply", next);
    if (!number_of(event, &seq))
        return breaks(chain, TF_BREAK_FORM, next, "behind event %" PRId64 " stands something without the number of an event", chain->last.seq);
    if (!check_number(chain, seq))
        return false;
    if (!tf_field_hash(event, "hash", carried) || !tf_doc_is_single(event, "hash") || !tf_doc_is_single(event, "signature") ||
        !tf_event_hash(event, own) || memcmp(own, carried, 32) != 0)
        return breaks(chain, TF_BREAK_CONTENT, seq, "event %" PRId64 " was altered: its content does not have the hash it carries", seq);
    if (!check_link(chain, event, seq))
        return breaks(chain, TF_BREAK_LINK, seq, "event %" PRId64 " does not follow from event %" PRId64 ": one of the two was replaced", seq, seq - 1);
    if (!check_signature(chain, event, seq, own))
        return false;
    if (chain->count++ == 0) {
        chain->first = seq;
        chain->before.seq = seq - 1;
        if (seq > 1)
            tf_field_hash(event, "previous", chain->before.hash);
    }
    chain->last.seq = seq;
    memcpy(chain->last.hash, own, 32);
    return true;
}

/* ---- the end ---- */

bool tf_chain_compare(tf_chain *chain, const tf_head *witness, const char *who, bool ended)
{
    if (chain->broken != TF_BREAK_NONE)
        return false;
    if (witness->seq == chain->last.seq && memcmp(witness->hash, chain->last.hash, 32) != 0)
        return breaks(chain, TF_BREAK_WITNESS, witness->seq, "event %" PRId64 " was replaced: %s has another hash of it", witness->seq, who);
    if (ended && witness->seq > chain->last.seq)
        return breaks(chain, TF_BREAK_END, chain->last.seq + 1,
                      "the newest events were cut off: %s has seen event %" PRId64 ", and the trail ends with %" PRId64, who, witness->seq,
                      chain->last.seq);
    return true;
}

bool tf_chain_compare_before(tf_chain *chain, const tf_head *witness, const char *who, const char *where)
{
    const tf_head *before = &chain->before;
    if (chain->broken != TF_BREAK_NONE)
        return false;
    if (witness->seq == before->seq && memcmp(witness->hash, before->hash, 32) != 0)
        return breaks(chain, TF_BREAK_WITNESS, witness->seq, "event %" PRId64 " was replaced: %s has another hash of it", witness->seq, who);
    if (witness->seq < before->seq)
        return breaks(chain, TF_BREAK_ARCHIVED, witness->seq,
                      "%s was not compared: event %" PRId64 " is not here, it is said to be in %s; examine that with the same --head", who,
                      witness->seq, where);
    return true;
}

bool tf_chain_end(tf_chain *chain)
{
    if (chain->broken != TF_BREAK_NONE)
        return false;
    if (chain->keys_count && !chain->signed_count && chain->count)
        return breaks(chain, TF_BREAK_UNSIGNED, chain->first, "no event is signed with the key given");
    return true;
}
