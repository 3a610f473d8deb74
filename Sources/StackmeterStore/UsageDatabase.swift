/// Where a cell's usage database is.
package enum UsageDatabase: Hashable, Sendable {
  /// A file of this host, for one cell.
  case sqlite(path: String, cell: String)
  /// A connection string or URI of libpq; the database may be that of many cells.
  case postgresql(String, cell: String)

  /// The database of PostgreSQL where `postgresql` says which, else the file.
  package init(postgresql: String, path: String, cell: String) {
    self =
      postgresql.isEmpty ? .sqlite(path: path, cell: cell) : .postgresql(postgresql, cell: cell)
  }

  /// Opens it to write, making its tables where there are none. Of SQLite, whoever calls this holds the lock of the
  /// one writer; PostgreSQL holds it itself.
  package func store() throws(StoreError) -> any UsageStore {
    switch self {
    case .sqlite(let path, let cell): try SQLiteUsageStore(path: path, cell: cell)
    case .postgresql(let text, let cell): try PostgreSQLUsageStore(text, cell: cell)
    }
  }

  package func reader() throws(StoreError) -> any UsageReader {
    switch self {
    case .sqlite(let path, _): try SQLiteUsageReader(path: path)
    case .postgresql(let text, let cell): try PostgreSQLUsageReader(text, cell: cell)
    }
  }
}
