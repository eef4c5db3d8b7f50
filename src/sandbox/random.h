/*
 * A deterministic generator of random numbers for sample data (splitmix64). Not for secrets that must be secret.
 * The same state gives the same numbers on every machine and compiler.
 */
#ifndef TOKENFIX_SANDBOX_RANDOM_H
#define TOKENFIX_SANDBOX_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tf_random {
    uint64_t state;
} tf_random;

/* A bijection on 64 bits that looks random: distinct x give distinct results. */
uint64_t tf_random_mix(uint64_t x);

/* The generator that belongs to number `index` of stream `key`. */
tf_random tf_random_stream(uint64_t key, uint64_t index);

uint64_t tf_random_next(tf_random *random);

/* 0 ≤ result < bound; bound ≥ 1. */
uint64_t tf_random_below(tf_random *random, uint64_t bound);

/* True in `numerator` of 1,000 cases. */
bool tf_random_permille(tf_random *random, unsigned numerator);

/* 0 ≤ result < 1. */
double tf_random_unit(tf_random *random);

/* Write `length` characters at `out`, without a terminating NUL: lower-case hex, Bech32's alphabet, base64url's. */
void tf_random_hex(tf_random *random, char *out, size_t length);
void tf_random_bech32(tf_random *random, char *out, size_t length);
void tf_random_base64(tf_random *random, char *out, size_t length);

/* The 16 hex digits of word at `out`, without NUL. */
void tf_random_hex_word(uint64_t word, char *out);

/*
 * A permutation of 0 … size-1 that is computed, not stored: a Feistel network over the next even power of two, walked
 * until it lands inside. Its first n images are n distinct numbers, spread evenly.
 */
typedef struct tf_permutation {
    uint64_t size;
    uint64_t key;
    unsigned half_bits;
} tf_permutation;

tf_permutation tf_permutation_make(uint64_t key, uint64_t size);

/* index < size; so is the result. */
uint64_t tf_permutation_at(const tf_permutation *permutation, uint64_t index);

#endif
