internal import StackmeterStore

/// The tables of the outbox, `outbox.sqlite` in the bridge's part of the state directory.
///
/// It has what is not settled yet, and how much was: whoever loses it loses no usage. The windows are read anew then,
/// and what the commerce service has already is a duplicate there.
enum OutboxSchema {
  static let version: Int64 = 1

  static let tables = """
    -- How far closed windows are read: `rows` of `window` are in batches, and `token` leads to what follows.
    CREATE TABLE progress (
      one INTEGER PRIMARY KEY CHECK (one = 1),
      window INTEGER NOT NULL, token TEXT NOT NULL, rows INTEGER NOT NULL);
    -- Windows that are read once more, likewise.
    CREATE TABLE again (
      window INTEGER PRIMARY KEY, token TEXT NOT NULL, rows INTEGER NOT NULL);
    -- What is not settled: pending (0), or sent (1) with an answer that nobody knows.
    CREATE TABLE batch (
      number INTEGER PRIMARY KEY AUTOINCREMENT,
      id TEXT NOT NULL, window INTEGER NOT NULL, records INTEGER NOT NULL,
      state INTEGER NOT NULL CHECK (state IN (0, 1)), body BLOB NOT NULL);
    CREATE INDEX batch_order ON batch (window, number);
    CREATE INDEX batch_pending ON batch (window, number) WHERE state = 0;
    CREATE INDEX batch_id ON batch (id);
    -- What became of the records of a window: those that are neither are in batches.
    CREATE TABLE settled (
      window INTEGER PRIMARY KEY,
      acknowledged INTEGER NOT NULL, refused INTEGER NOT NULL);
    CREATE TABLE dead_letter (
      number INTEGER PRIMARY KEY AUTOINCREMENT,
      id TEXT NOT NULL UNIQUE, window INTEGER NOT NULL, code TEXT NOT NULL, reason TEXT NOT NULL,
      refused INTEGER NOT NULL, record BLOB NOT NULL);
    CREATE INDEX dead_letter_window ON dead_letter (window);
    """

  /// Opens the file, making it where there is none.
  static func open(_ path: String) throws(StoreError) -> SQLite {
    let database = try SQLite(path, .writer)
    // A commit that a power cut takes back is made again: the windows are read anew, or sent anew with the same ids.
    try database.execute(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;"
        + "PRAGMA cache_size = -1024;")
    let statement = try database.prepare("PRAGMA user_version")
    guard try statement.step() else { throw StoreError(.system, "\(path): has no version") }
    let found = statement.integer(0)
    statement.reset()
    switch found {
    case version: break
    case 0:
      try database.transaction { () throws(StoreError) in
        try database.execute(tables + "PRAGMA user_version = \(version);")
      }
    default:
      throw StoreError(
        .newerSchema, "\(path) has version \(found), and this program knows \(version)")
    }
    return database
  }
}
