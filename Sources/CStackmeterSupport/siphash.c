#include "stackmeter_hash.h"

#include <string.h>

static inline uint64_t rotate(uint64_t x, int bits) { return x << bits | x >> (64 - bits); }

static inline void round_(uint64_t v[4]) {
  v[0] += v[1];
  v[1] = rotate(v[1], 13) ^ v[0];
  v[0] = rotate(v[0], 32);
  v[2] += v[3];
  v[3] = rotate(v[3], 16) ^ v[2];
  v[0] += v[3];
  v[3] = rotate(v[3], 21) ^ v[0];
  v[2] += v[1];
  v[1] = rotate(v[1], 17) ^ v[2];
  v[2] = rotate(v[2], 32);
}

static inline uint64_t finish(uint64_t v[4]) {
  for (int i = 0; i < 4; i++) round_(v);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void stackmeter_siphash128(const uint64_t key[2], const void *bytes, size_t count,
                           uint64_t result[2]) {
  uint64_t v[4] = {
      0x736f6d6570736575 ^ key[0],
      0x646f72616e646f6d ^ key[1] ^ 0xee,
      0x6c7967656e657261 ^ key[0],
      0x7465646279746573 ^ key[1],
  };
  const uint8_t *cursor = bytes;
  size_t left = count;
  for (; left >= 8; cursor += 8, left -= 8) {
    uint64_t word;
    memcpy(&word, cursor, 8);
    v[3] ^= word;
    round_(v);
    round_(v);
    v[0] ^= word;
  }
  uint64_t last = (uint64_t)count << 56;
  for (size_t i = 0; i < left; i++) last |= (uint64_t)cursor[i] << 8 * i;
  v[3] ^= last;
  round_(v);
  round_(v);
  v[0] ^= last;
  v[2] ^= 0xee;
  result[0] = finish(v);
  v[1] ^= 0xdd;
  result[1] = finish(v);
}
