extension SQLiteUsageReader {
  /// How many aggregates there are, and the bytes that their table takes in the file. Reads all of them.
  package func aggregateSize() throws(StoreError) -> (rows: UInt64, bytes: UInt64) {
    (
      try number("SELECT count(*) FROM aggregate"),
      try number("SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name = 'aggregate'")
    )
  }

  private func number(_ sql: String) throws(StoreError) -> UInt64 {
    let statement = try connection.prepare(sql)
    _ = try statement.step()
    defer { statement.reset() }
    return UInt64(bitPattern: statement.integer(0))
  }
}
