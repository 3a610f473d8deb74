// Byte loops that must be fast in every build: the processor's CRC-32C instruction, and SipHash.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// Continues a CRC-32C (Castagnoli, RFC 3720 B.4) over `count` bytes. Start with 0.
uint32_t stackmeter_crc32c(uint32_t crc, const void *_Nonnull bytes, size_t count);

/// SipHash-2-4 with 128 bits of output (Aumasson and Bernstein): keyed, so that nobody without the key can make
/// two names collide.
void stackmeter_siphash128(const uint64_t key[_Nonnull 2], const void *_Nullable bytes, size_t count,
                           uint64_t result[_Nonnull 2]);

/// Begins to load the cache line at `address`, which may be any address.
static inline void stackmeter_prefetch(const void *_Nullable address) {
  __builtin_prefetch(address);
}
