// What Swift cannot say: the processor's CRC-32C instruction.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// Continues a CRC-32C (Castagnoli, RFC 3720 B.4) over `count` bytes. Start with 0.
uint32_t stackmeter_crc32c(uint32_t crc, const void *_Nonnull bytes, size_t count);
