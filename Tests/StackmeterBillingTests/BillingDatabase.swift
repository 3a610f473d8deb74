import StackmeterStore
import StackmeterTesting

/// Lends a new database.
func withBillingDatabase(
  _ engine: Engine, _ body: (UsageDatabase) async throws -> Void
) async throws {
  switch engine {
  case .sqlite:
    let directory = try TemporaryDirectory()
    try await body(.sqlite(path: "\(directory.path)/usage.sqlite", cell: "local"))
  case .postgresql:
    try await body(.postgresql(try await TestPostgreSQL.database(), cell: "local"))
  }
}
