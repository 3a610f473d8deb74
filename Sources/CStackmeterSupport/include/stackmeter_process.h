// GNU functions that Swift's Glibc module does not declare.
#pragma once

#include <spawn.h>

/// A pipe whose ends no child inherits. Returns 0, or -1 with errno.
int stackmeter_pipe(int *_Nonnull ends);

/// Closes every descriptor from `first` on in the child. Returns 0 or an error number.
int stackmeter_close_from(posix_spawn_file_actions_t *_Nonnull actions, int first);

/// Has the allocator make at most `count` heaps, whatever threads there are. Called before there are any. Returns 1, or
/// 0 where it cannot.
int stackmeter_limit_heaps(int count);
