import CollectorClient
import LocalPostgreSQL
import QueryClient
import StackmeterCore
import StackmeterJournal
import StackmeterRPC
import StackmeterRuntime
import StackmeterTesting
import StackmeterWire
import Testing

@testable import StackmeterStore

/// The commands that look after a usage database, where that is in PostgreSQL.
@Suite(.serialized, .timeLimit(.minutes(5))) struct PostgreSQLToolTests {
  /// Closed windows that the journal has before anything is started.
  private static let windows = 4

  /// A journal of the last hours, as a collector would have left it.
  private func writeHistory(_ settings: Settings) throws {
    try StateLock.makeDirectory(settings.stateDirectory)
    var random = try SeededRandom()
    var log = try RecordLog(
      disk: FileDisk(), directory: settings.journalDirectory, newID: .random(using: &random),
      segmentBytesMax: 64 << 10)
    let first = SystemClock().now().hour.index - Int64(Self.windows)
    for window in 0..<Self.windows {
      let start = Hour(index: first + Int64(window)).start
      let new = (0..<100).map { number in
        Reports.event(
          "old-\(window)-\(number)", Quantity(Int32(number)), subscription: "s\(number % 7)",
          at: start.advanced(by: .seconds(-number)))
      }
      let payload = EventBatchBuilder(new).batches[0].batch.journalPayload()
      try log.reserve(payload.count + Record.frameBytes)
      log.append(
        Record(
          kind: .batch, count: UInt32(new.count), firstPosition: log.nextPosition,
          firstTime: start.advanced(by: .seconds(60)), payload: payload))
      try log.commit()
    }
  }

  /// Lends a cluster with a history whose usage database is in `text`, all of it counted.
  private func withCounted(
    _ text: String, _ body: (Cluster) async throws -> Void
  ) async throws {
    try await withCluster(overrides: ["STACKMETER_STORE_POSTGRESQL": text]) { cluster in
      try writeHistory(cluster.settings)
      for service in ["collector", "aggregator", "query"] { try cluster.start(service) }
      try await cluster.serving("collector", "aggregator", "query")
      _ = try await report("first", to: cluster)
      try await body(cluster)
    }
  }

  /// Reports, waits until it is counted, and gives the totals.
  private func report(_ name: String, to cluster: Cluster) async throws -> [String: Quantity] {
    let start = SystemClock().now().hour.start.advanced(by: .seconds(-1800))
    let events = (0..<50).map {
      Reports.event("\(name)-\($0)", Quantity(Int32($0)), subscription: "s\($0 % 3)", at: start)
    }
    let position = try await cluster.call("collector") { channel in
      let results = try await Reports.reportBlindly(events, to: CollectorClient(channel))
      try #require(results.allSatisfy { $0.isSuccess })
      return try await CollectorClient(channel).status().nextPosition
    }
    return try await Reports.settledTotals(cluster, position: position)
  }

  private func closed(
    _ text: String, schema: String? = nil
  ) throws(StoreError) -> [ClosedWindow] {
    try PostgreSQLUsageReader(text, schema: schema, cell: "local").closedWindows(
      before: nil, limit: 1000)
  }

  private func succeed(
    _ cluster: Cluster, _ arguments: String..., telling parts: String...
  ) async throws {
    let ran = try await cluster.command(arguments)
    try #require(ran.status == .exited(0), "\(arguments): \(ran.output)")
    for part in parts { try #require(ran.output.contains(part), "\(part): \(ran.output)") }
  }

  private func fail(
    _ cluster: Cluster, _ arguments: String..., telling part: String
  ) async throws {
    let ran = try await cluster.command(arguments)
    #expect(ran.status != .exited(0) && ran.output.contains(part), "\(arguments): \(ran.output)")
  }

  @Test func `a database is verified, and what was changed in it by hand is found`() async throws {
    let text = try await TestPostgreSQL.database()
    try await withCounted(text) { cluster in
      try await succeed(cluster, "verify", telling: "hashes made anew")
      try await succeed(cluster, "restate", "--dry-run", telling: "as the catalog says")
      try PostgreSQL(text).execute(
        """
        ALTER TABLE aggregate DISABLE TRIGGER USER;
        UPDATE aggregate SET quantity = quantity + 1 WHERE reporting_window =
          (SELECT min(reporting_window) FROM aggregate);
        ALTER TABLE aggregate ENABLE TRIGGER USER
        """)
      let found = try await cluster.command("verify")
      #expect(found.status == .exited(1), "\(found.output)")
    }
  }

  @Test func `a database is made anew in a schema while everything runs, and takes its place`()
    async throws
  {
    let text = try await TestPostgreSQL.database()
    try await withCounted(text) { cluster in
      try await fail(cluster, "rebuild", telling: "name a new schema")
      try await fail(cluster, "rebuild", "--schema", "public", telling: "choose another --schema")
      let name = "new \"schema\""
      // The last commit of a journal that is being written is left to the aggregator.
      try await succeed(
        cluster, "rebuild", "--schema", name,
        telling: "\(Self.windows - 1) closed windows have the hashes of the old", "ALTER SCHEMA")
      #expect(try closed(text, schema: name) == Array(closed(text).dropFirst()))
      // What was begun goes on.
      let totals = try await report("second", to: cluster)
      try await succeed(
        cluster, "rebuild", "--schema", name,
        telling: "\(Self.windows) closed windows have the hashes of the old")
      #expect(try closed(text, schema: name) == closed(text))
      _ = try await cluster.stop("aggregator")
      try PostgreSQL(text).execute(
        """
        ALTER SCHEMA public RENAME TO old;
        ALTER SCHEMA \(PostgreSQL.identifier(name)) RENAME TO public
        """)
      try cluster.start("aggregator")
      let position = try await cluster.call("collector") { channel in
        try await CollectorClient(channel).status().nextPosition
      }
      #expect(try await Reports.settledTotals(cluster, position: position) == totals)
      #expect(try await report("third", to: cluster).count == totals.count)
      try await succeed(cluster, "verify")
      // A file has the same.
      let file = "\(cluster.directory)/rebuilt.sqlite"
      try await succeed(cluster, "rebuild", "--output", file)
      #expect(
        try SQLiteUsageReader(path: file).closedWindows(before: nil, limit: 1000) == closed(text))
    }
  }

  @Test func `a dump and a backup that was begun after it converge`() async throws {
    let text = try await TestPostgreSQL.database()
    try await withCounted(text) { cluster in
      let (dump, backup) = ("\(cluster.directory)/dump.sql", "\(cluster.directory)/backup")
      let dumped = try await Cluster.run(
        "\(PostgreSQLServer.programs)/pg_dump", ["--dbname", text, "--file", dump],
        environment: [:],
        outputPath: "\(cluster.directory)/output-dump")
      try #require(dumped.status == .exited(0), "\(dumped.output)")
      let totals = try await report("between", to: cluster)
      try await succeed(
        cluster, "backup", backup, telling: "in PostgreSQL, and not in this backup", "pg_dump")
      _ = try await report("lost", to: cluster)
      let windows = try closed(text)
      let other = try await TestPostgreSQL.database()
      let restored = try await Cluster.run(
        "\(PostgreSQLServer.programs)/psql",
        ["--dbname", other, "--quiet", "--set", "ON_ERROR_STOP=1", "--file", dump],
        environment: [:],
        outputPath: "\(cluster.directory)/output-psql")
      try #require(restored.status == .exited(0), "\(restored.output)")
      // The database that lived on is further than the journal of the backup.
      try await withCluster(overrides: ["STACKMETER_STORE_POSTGRESQL": text]) { second in
        try await fail(second, "restore", backup, telling: "restore a dump of PostgreSQL")
        #expect(try FileCopyNames.names(second.settings.stateDirectory) == [])
      }
      for (database, remark) in [
        (other, "the rest is counted from the journal"),
        (try await TestPostgreSQL.database(), "all of it is counted from the journal"),
      ] {
        try await withCluster(overrides: ["STACKMETER_STORE_POSTGRESQL": database]) { second in
          try await succeed(second, "restore", backup, telling: remark)
          for service in ["collector", "aggregator", "query"] { try second.start(service) }
          try await second.serving("collector", "aggregator", "query")
          let position = try await second.call("collector") { channel in
            try await CollectorClient(channel).status().nextPosition
          }
          #expect(try await Reports.settledTotals(second, position: position) == totals)
          #expect(try closed(database) == windows)
          _ = try await report("after", to: second)
          try await succeed(second, "verify")
        }
      }
    }
  }
}

/// What a state directory has, but for locks.
private enum FileCopyNames {
  static func names(_ directory: String) throws -> [String] {
    try FileDisk().list(directory).filter { !$0.hasSuffix(".lock") }
  }
}
