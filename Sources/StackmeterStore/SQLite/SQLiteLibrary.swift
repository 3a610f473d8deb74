internal import CSQLite

/// The SQLite that this host has.
package enum SQLiteLibrary {
  /// 3.37: the first one with STRICT tables, the newest of what the usage database needs.
  package static let versionNumberMin: Int32 = 3_037_000

  /// `3.40.1`.
  package static var version: String { String(cString: sqlite3_libversion()) }
  /// 3,040,001.
  package static var versionNumber: Int32 { sqlite3_libversion_number() }
}
