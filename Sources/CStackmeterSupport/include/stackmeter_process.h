// GNU functions that Swift's Glibc module does not declare.
#pragma once

#include <spawn.h>

/// A pipe whose ends no child inherits. Returns 0, or -1 with errno.
int stackmeter_pipe(int *_Nonnull ends);

/// Closes every descriptor from `first` on in the child. Returns 0 or an error number.
int stackmeter_close_from(posix_spawn_file_actions_t *_Nonnull actions, int first);
