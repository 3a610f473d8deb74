#define _GNU_SOURCE
#include "stackmeter_process.h"

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

int stackmeter_pipe(int *ends) { return pipe2(ends, O_CLOEXEC); }

int stackmeter_close_from(posix_spawn_file_actions_t *actions, int first) {
  return posix_spawn_file_actions_addclosefrom_np(actions, first);
}

int stackmeter_limit_heaps(int count) { return mallopt(M_ARENA_MAX, count); }
