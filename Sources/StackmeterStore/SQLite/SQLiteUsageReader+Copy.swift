extension SQLiteUsageReader {
  /// Writes the database as it is at this instant to a new file at `path`, without the log that SQLite keeps beside
  /// it. The writer goes on meanwhile; what it writes can be taken out of SQLite's log only once this is done. Nothing
  /// is synced.
  package func copy(to path: String) throws(StoreError) {
    // The connection itself cannot write; this is about the file that is made.
    try connection.execute("PRAGMA query_only=OFF")
    let copy = try connection.prepare("VACUUM INTO ?")
    copy.bind(1, path)
    try copy.run()
    try connection.execute("PRAGMA query_only=ON")
  }
}
