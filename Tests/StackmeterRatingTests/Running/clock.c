// Preloaded into a program, this sets its calendar: CLOCK_AHEAD seconds ahead of the host's, or behind where it is below
// zero. MovedClock.swift compiles it. How fast time passes, and what is measured by other clocks, stays as it is.
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static time_t ahead;

__attribute__((constructor)) static void start(void) {
  const char *text = getenv("CLOCK_AHEAD");
  ahead = text ? strtoll(text, NULL, 10) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  int result = syscall(SYS_clock_gettime, clock, time);
  if (result == 0 && clock == CLOCK_REALTIME) time->tv_sec += ahead;
  return result;
}
