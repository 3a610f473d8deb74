#include <sqlite3.h>

// `sqlite3_config` takes any arguments, so Swift cannot call it.

/// Without counters of its memory SQLite takes no lock for each allocation. Before the first connection only.
static inline int stackmeter_sqlite_count_no_memory(void) {
  return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}
