// Linux's allocation of a file's space, which Swift's Glibc module does not declare.
#pragma once

#include <stdint.h>

/// Allocates the first `size` bytes of a file and makes it at least that long. Returns 0, or -1 with errno.
int stackmeter_allocate(int descriptor, int64_t size);
