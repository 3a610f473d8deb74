#include "stackmeter_hash.h"

#include <string.h>

// One bit at a time: slow, for processors without the instruction.
static uint32_t portable(uint32_t crc, const uint8_t *bytes, size_t count) {
  while (count-- > 0) {
    crc ^= *bytes++;
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (0x82F63B78u & -(crc & 1));
  }
  return crc;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2")))
static uint32_t hardware(uint32_t crc, const uint8_t *bytes, size_t count) {
  uint64_t wide = crc;
  for (; count >= 8; bytes += 8, count -= 8) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    wide = __builtin_ia32_crc32di(wide, word);
  }
  crc = (uint32_t)wide;
  while (count-- > 0) crc = __builtin_ia32_crc32qi(crc, *bytes++);
  return crc;
}

uint32_t stackmeter_crc32c(uint32_t crc, const void *bytes, size_t count) {
  return ~(__builtin_cpu_supports("sse4.2") ? hardware : portable)(~crc, bytes, count);
}

#else

uint32_t stackmeter_crc32c(uint32_t crc, const void *bytes, size_t count) {
  return ~portable(~crc, bytes, count);
}

#endif
