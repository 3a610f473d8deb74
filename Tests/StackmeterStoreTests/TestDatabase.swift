import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterStore

/// A database that is not there yet, or has no tables.
struct TestDatabase {
  let database: UsageDatabase

  func store(
    cell: String = "local", seriesMax: Int64 = SeriesNumbers.seriesMax
  ) throws(StoreError) -> any UsageStore {
    switch database {
    case .sqlite(let path, _):
      try SQLiteUsageStore(path: path, cell: cell, seriesMax: seriesMax)
    case .postgresql(let text, _):
      try PostgreSQLUsageStore(
        text, cell: cell, seriesMax: seriesMax, lockWait: .milliseconds(50))
    }
  }

  func reader() throws(StoreError) -> any UsageReader {
    try database.reader()
  }

  /// Runs statements as somebody does who is neither a store nor a reader.
  func byHand(_ sql: String) throws(StoreError) {
    switch database {
    case .sqlite(let path, _): try SQLite(path, .writer).execute(sql)
    case .postgresql(let text, _): try PostgreSQL(text).execute(sql)
    }
  }
}

/// Lends a new database.
func withDatabase(_ engine: Engine, _ body: (TestDatabase) throws -> Void) async throws {
  switch engine {
  case .sqlite:
    let directory = try TemporaryDirectory()
    try body(
      TestDatabase(database: .sqlite(path: "\(directory.path)/usage.sqlite", cell: "local")))
  case .postgresql:
    try body(
      TestDatabase(
        database: .postgresql(try await TestPostgreSQL.database(), cell: "local")))
  }
}

extension UsageReader {
  /// Every hourly aggregate.
  func all() throws -> [UsageAggregate] {
    try aggregates(
      windows: Hour(index: 0)..<Hour(index: 10_000_000), granularity: .hourly,
      filter: UsageFilter(subscriptions: nil, meters: nil), after: nil, limit: 10_000
    ).aggregates
  }
}
