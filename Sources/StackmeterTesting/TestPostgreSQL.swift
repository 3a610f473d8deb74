internal import LocalPostgreSQL

/// The PostgreSQL server of a test run, started for the first test that asks.
package enum TestPostgreSQL {
  /// A crash of the server loses nothing without fsync; only one of the host would.
  package static let settings = ["fsync=off", "shared_buffers=64MB", "jit=off"]

  private static let server = Task {
    try await PostgreSQLServer.start(below: "/var/tmp", settings: settings)
  }

  /// What libpq takes to connect to a new, empty database.
  package static func database() async throws -> String {
    try await server.value.makeDatabase()
  }
}

/// The stores of usage aggregates, all of which keep the same promises.
package enum Engine: String, CaseIterable, Sendable {
  case sqlite
  case postgresql
}
