extension SQLiteUsageReader {
  /// Writes the database as it is at this instant to a new file at `path`, see `SQLite.copy`.
  package func copy(to path: String) throws(StoreError) {
    // The connection itself cannot write; this is about the file that is made.
    try connection.execute("PRAGMA query_only=OFF")
    try connection.copy(to: path)
    try connection.execute("PRAGMA query_only=ON")
  }

  package func integrityProblems() throws(StoreError) -> [String] {
    try connection.integrityProblems()
  }
}

extension SQLite {
  /// Writes the database as it is at this instant to a new file at `path`, without the log that SQLite keeps beside
  /// it. The writer goes on meanwhile; what it writes can be taken out of SQLite's log only once this is done. Nothing
  /// is synced.
  package func copy(to path: String) throws(StoreError) {
    let copy = try prepare("VACUUM INTO ?")
    copy.bind(1, path)
    try copy.run()
  }

  /// What SQLite finds wrong with its pages, the first ten; none where they are whole.
  package func integrityProblems() throws(StoreError) -> [String] {
    let statement = try prepare("PRAGMA integrity_check(10)")
    var problems: [String] = []
    while try statement.step() { problems.append(statement.text(0)) }
    return problems == ["ok"] ? [] : problems
  }
}
