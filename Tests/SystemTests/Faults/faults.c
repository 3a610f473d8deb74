// Preloaded into a program, this counts the system calls that change files below one directory, and at the
// Nth of them kills the process or lets the call fail. FaultLibrary.swift compiles it and sets its variables:
//
//   FAULT_DIRECTORY  whose files are watched, an absolute path
//   FAULT_COUNTS     a file of COUNTS numbers, u64, that outlives the process: see the enumeration below
//   FAULT_KINDS      a mask of the kinds that N counts
//   FAULT_AT         N, from 1; nothing happens without it
//   FAULT_ACTION     before | after (SIGKILL), torn (half of a write, then SIGKILL), short (half of a write),
//                    fail
//   FAULT_ERRNO      what a call that fails says
//   FAULT_LASTING    set: all later calls of these kinds fail too
//   FAULT_SYNC_DELAY microseconds that every sync takes longer, as on a slower disk
//
// Every function goes to the system directly, so that none is counted twice. What a program writes through a
// shared mapping is not seen.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE, SYNC, RENAME, TRUNCATE, ALLOCATE, REMOVE, CREATE, KINDS };
// The counts of each kind, then the calls that N counts, then the faults that were made.
enum { COUNTED = KINDS, STRUCK, COUNTS };
enum action { NONE, BEFORE, AFTER, TORN, SHORT, FAIL };

static char directory[PATH_MAX];
static size_t directory_length;
static _Atomic uint64_t *counts;
static uint64_t kinds, at;
static enum action chosen;
static int error_number;
static int lasting;
static useconds_t sync_delay;

__attribute__((constructor)) static void start(void) {
  const char *path = getenv("FAULT_DIRECTORY"), *file = getenv("FAULT_COUNTS");
  if (!path || !file) return;
  directory_length = strlen(path);
  if (directory_length >= sizeof directory) return;
  memcpy(directory, path, directory_length + 1);
  const char *text = getenv("FAULT_KINDS");
  kinds = text ? strtoull(text, NULL, 10) : 0;
  text = getenv("FAULT_AT");
  at = text ? strtoull(text, NULL, 10) : 0;
  text = getenv("FAULT_ERRNO");
  error_number = text ? atoi(text) : EIO;
  text = getenv("FAULT_SYNC_DELAY");
  sync_delay = text ? atoi(text) : 0;
  lasting = getenv("FAULT_LASTING") != NULL;
  static const char *const names[] = {"none", "before", "after", "torn", "short", "fail"};
  text = getenv("FAULT_ACTION");
  for (int name = NONE; text && name <= FAIL; name++)
    if (strcmp(text, names[name]) == 0) chosen = name;
  int descriptor = syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC, 0);
  if (descriptor < 0) return;
  void *memory =
      mmap(NULL, COUNTS * sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  syscall(SYS_close, descriptor);
  if (memory != MAP_FAILED) counts = memory;
}

static int is_below(const char *path) {
  return counts && strncmp(path, directory, directory_length) == 0 &&
         (path[directory_length] == '/' || path[directory_length] == 0);
}

static int is_watched(int descriptor) {
  if (!counts) return 0;
  char link[40], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  int saved = errno;
  ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
  errno = saved;
  if (length <= 0) return 0;
  path[length] = 0;
  return is_below(path);
}

static void end(void) {
  syscall(SYS_kill, getpid(), SIGKILL);
  for (;;) pause();
}

static enum action next(int kind) {
  counts[kind]++;
  if (kind == SYNC && sync_delay) usleep(sync_delay);
  if (!(kinds >> kind & 1)) return NONE;
  uint64_t number = ++counts[COUNTED];
  if (at == 0 || number < at || (number > at && !lasting)) return NONE;
  counts[STRUCK]++;
  if (chosen == BEFORE) end();
  return chosen;
}

// A call that can only be made or not.
#define CALL(kind, watched, expression)        \
  do {                                         \
    enum action action_ = NONE;                \
    if (watched) action_ = next(kind);         \
    if (action_ == FAIL) {                     \
      errno = error_number;                    \
      return -1;                               \
    }                                          \
    long result_ = (expression);               \
    if (action_ == AFTER || action_ == TORN) end(); \
    return result_;                            \
  } while (0)

// A write, which can also be made in part.
#define PARTLY(descriptor, size, expression)                          \
  do {                                                                \
    size_t size_ = (size);                                            \
    enum action action_ = NONE;                                       \
    if (is_watched(descriptor)) action_ = next(WRITE);                \
    if (action_ == FAIL) {                                            \
      errno = error_number;                                           \
      return -1;                                                      \
    }                                                                 \
    if ((action_ == TORN || action_ == SHORT) && size_ > 1) size_ /= 2; \
    ssize_t result_ = (expression);                                   \
    if (action_ == AFTER || action_ == TORN) end();                   \
    return result_;                                                   \
  } while (0)

ssize_t write(int descriptor, const void *bytes, size_t size) {
  PARTLY(descriptor, size, syscall(SYS_write, descriptor, bytes, size_));
}
ssize_t pwrite(int descriptor, const void *bytes, size_t size, off_t offset) {
  PARTLY(descriptor, size, syscall(SYS_pwrite64, descriptor, bytes, size_, offset));
}
ssize_t pwrite64(int descriptor, const void *bytes, size_t size, off64_t offset) {
  PARTLY(descriptor, size, syscall(SYS_pwrite64, descriptor, bytes, size_, offset));
}
// Vectors are written in part by their first elements.
ssize_t writev(int descriptor, const struct iovec *vectors, int count) {
  PARTLY(descriptor, count, syscall(SYS_writev, descriptor, vectors, size_));
}
ssize_t pwritev(int descriptor, const struct iovec *vectors, int count, off_t offset) {
  PARTLY(descriptor, count, syscall(SYS_pwritev, descriptor, vectors, size_, offset, 0L));
}
ssize_t pwritev64(int descriptor, const struct iovec *vectors, int count, off64_t offset) {
  PARTLY(descriptor, count, syscall(SYS_pwritev, descriptor, vectors, size_, offset, 0L));
}

int fsync(int descriptor) {
  CALL(SYNC, is_watched(descriptor), syscall(SYS_fsync, descriptor));
}
int fdatasync(int descriptor) {
  CALL(SYNC, is_watched(descriptor), syscall(SYS_fdatasync, descriptor));
}
int syncfs(int descriptor) {
  CALL(SYNC, is_watched(descriptor), syscall(SYS_syncfs, descriptor));
}
int sync_file_range(int descriptor, off64_t offset, off64_t size, unsigned flags) {
  CALL(SYNC, is_watched(descriptor),
       syscall(SYS_sync_file_range, descriptor, offset, size, flags));
}

int ftruncate(int descriptor, off_t size) {
  CALL(TRUNCATE, is_watched(descriptor), syscall(SYS_ftruncate, descriptor, size));
}
int ftruncate64(int descriptor, off64_t size) {
  CALL(TRUNCATE, is_watched(descriptor), syscall(SYS_ftruncate, descriptor, size));
}
int truncate(const char *path, off_t size) {
  CALL(TRUNCATE, is_below(path), syscall(SYS_truncate, path, size));
}
int truncate64(const char *path, off64_t size) {
  CALL(TRUNCATE, is_below(path), syscall(SYS_truncate, path, size));
}

int fallocate(int descriptor, int mode, off_t offset, off_t size) {
  CALL(ALLOCATE, is_watched(descriptor),
       syscall(SYS_fallocate, descriptor, mode, offset, size));
}
int fallocate64(int descriptor, int mode, off64_t offset, off64_t size) {
  CALL(ALLOCATE, is_watched(descriptor),
       syscall(SYS_fallocate, descriptor, mode, offset, size));
}
// These two give the error itself.
int posix_fallocate(int descriptor, off_t offset, off_t size) {
  return fallocate(descriptor, 0, offset, size) == 0 ? 0 : errno;
}
int posix_fallocate64(int descriptor, off64_t offset, off64_t size) {
  return fallocate(descriptor, 0, offset, size) == 0 ? 0 : errno;
}

int renameat2(int source, const char *from, int target, const char *to, unsigned flags) {
  CALL(RENAME, is_below(to), syscall(SYS_renameat2, source, from, target, to, flags));
}
int renameat(int source, const char *from, int target, const char *to) {
  return renameat2(source, from, target, to, 0);
}
int rename(const char *from, const char *to) {
  return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}
int linkat(int source, const char *from, int target, const char *to, int flags) {
  CALL(RENAME, is_below(to), syscall(SYS_linkat, source, from, target, to, flags));
}
int link(const char *from, const char *to) {
  return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlinkat(int place, const char *path, int flags) {
  CALL(REMOVE, is_below(path), syscall(SYS_unlinkat, place, path, flags));
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdirat(int place, const char *path, mode_t mode) {
  CALL(CREATE, is_below(path), syscall(SYS_mkdirat, place, path, mode));
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

static int open_file(int place, const char *path, int flags, mode_t mode) {
  CALL(CREATE, (flags & O_CREAT) && is_below(path),
       syscall(SYS_openat, place, path, flags, mode));
}
#define OPEN(place)                             \
  do {                                          \
    mode_t mode = 0;                            \
    if (flags & (O_CREAT | O_TMPFILE)) {        \
      va_list rest;                             \
      va_start(rest, flags);                    \
      mode = va_arg(rest, mode_t);              \
      va_end(rest);                             \
    }                                           \
    return open_file(place, path, flags, mode); \
  } while (0)
int open(const char *path, int flags, ...) { OPEN(AT_FDCWD); }
int open64(const char *path, int flags, ...) { OPEN(AT_FDCWD); }
int openat(int place, const char *path, int flags, ...) { OPEN(place); }
int openat64(int place, const char *path, int flags, ...) { OPEN(place); }
int creat(const char *path, mode_t mode) {
  return open_file(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
