#include "sandbox/random.h"

enum { FEISTEL_ROUNDS = 6 };

static const uint64_t GOLDEN = 0x9e3779b97f4a7c15u;

uint64_t tf_random_mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

tf_random tf_random_stream(uint64_t key, uint64_t index)
{
    return (tf_random){.state = tf_random_mix(key + index)};
}

uint64_t tf_random_next(tf_random *random)
{
    random->state += GOLDEN;
    return tf_random_mix(random->state);
}

uint64_t tf_random_below(tf_random *random, uint64_t bound)
{
    return (uint64_t)(((unsigned __int128)tf_random_next(random) * bound) >> 64);
}

bool tf_random_permille(tf_random *random, unsigned numerator)
{
    return tf_random_below(random, 1000) < numerator;
}

double tf_random_unit(tf_random *random)
{
    return (double)(tf_random_next(random) >> 11) * 0x1p-53;
}

/* `bits` of each word index the alphabet, which has 2^bits characters. */
static void text(tf_random *random, char *out, size_t length, const char *alphabet, unsigned bits)
{
    const uint64_t mask = (UINT64_C(1) << bits) - 1;
    uint64_t word = 0;
    unsigned left = 0;

    for (size_t i = 0; i < length; i++) {
        if (left < bits) {
            word = tf_random_next(random);
            left = 64;
        }
        out[i] = alphabet[word & mask];
        word >>= bits;
        left -= bits;
    }
}

void tf_random_hex(tf_random *random, char *out, size_t length)
{
    text(random, out, length, "0123456789abcdef", 4);
}

void tf_random_bech32(tf_random *random, char *out, size_t length)
{
    text(random, out, length, "qpzry9x8gf2tvdw0s3jn54khce6mua7l", 5);
}

void tf_random_base64(tf_random *random, char *out, size_t length)
{
    text(random, out, length, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", 6);
}

void tf_random_hex_word(uint64_t word, char *out)
{
    for (int i = 15; i >= 0; i--, word >>= 4)
        out[i] = "0123456789abcdef"[word & 15];
}

tf_permutation tf_permutation_make(uint64_t key, uint64_t size)
{
    tf_permutation permutation = {.size = size, .key = key, .half_bits = 1};

    while (permutation.half_bits < 31 && (UINT64_C(1) << (2 * permutation.half_bits)) < size)
        permutation.half_bits++;
    return permutation;
}

static uint64_t feistel(const tf_permutation *permutation, uint64_t value)
{
    const uint64_t mask = (UINT64_C(1) << permutation->half_bits) - 1;
    uint64_t left = value >> permutation->half_bits;
    uint64_t right = value & mask;

    for (uint64_t round = 0; round < FEISTEL_ROUNDS; round++) {
        uint64_t mixed = tf_random_mix(permutation->key + round * GOLDEN + right) >> (64 - permutation->half_bits);
        uint64_t next = left ^ mixed;
        left = right;
        right = next;
    }
    return left << permutation->half_bits | right;
}

uint64_t tf_permutation_at(const tf_permutation *permutation, uint64_t index)
{
    do
        index = feistel(permutation, index);
    while (index >= permutation->size);
    return index;
}
