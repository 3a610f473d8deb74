import BridgeClient
import CollectorClient
import Glibc
import StackmeterCore
import StackmeterJournal
import StackmeterRPC
import StackmeterRuntime
import StackmeterStore
import StackmeterTesting
import StackmeterWire
import Synchronization
import Testing

/// When reporters stop.
private final class LoadEnd: Sendable {
  private let reached = Atomic(false)

  var isReached: Bool { reached.load(ordering: .relaxed) }

  func reach() {
    reached.store(true, ordering: .relaxed)
  }
}

/// Backups of real processes under load, and what is restored from them.
@Suite(.serialized, .timeLimit(.minutes(5))) struct BackupTests {
  /// Closed windows that the journal has before anything is started.
  private static let windows = 5
  private static let eventsPerWindow = 300
  /// Small segments, so that many are sealed while they are copied.
  private static let overrides = [
    "STACKMETER_COLLECTOR_JOURNAL_SEGMENT_MEBIBYTES": "1",
    "STACKMETER_COLLECTOR_DISK_RESERVE_MEBIBYTES": "1",
  ]

  /// A journal of the last hours, as a collector would have left it.
  private func writeHistory(_ settings: Settings) throws -> [UsageEvent] {
    try StateLock.makeDirectory(settings.stateDirectory)
    var random = try SeededRandom()
    var log = try RecordLog(
      disk: FileDisk(), directory: settings.journalDirectory, newID: .random(using: &random),
      segmentBytesMax: 64 << 10)
    let first = SystemClock().now().hour.index - Int64(Self.windows)
    var events: [UsageEvent] = []
    for window in 0..<Self.windows {
      let start = Hour(index: first + Int64(window)).start
      let new = (0..<Self.eventsPerWindow).map { number in
        Reports.event(
          "old-\(window)-\(number)",
          Quantity(attos: Int128(Int64.random(in: 1...1_000_000_000, using: &random)))!,
          subscription: "s\(number % 7)",
          at: start.advanced(by: .seconds(Int.random(in: -3600..<0, using: &random))))
      }
      let payload = EventBatchBuilder(new).batches[0].batch.journalPayload()
      try log.reserve(payload.count + Record.frameBytes)
      log.append(
        Record(
          kind: .batch, count: UInt32(new.count), firstPosition: log.nextPosition,
          firstTime: start.advanced(by: .seconds(60)), payload: payload))
      try log.commit()
      events += new
    }
    return events
  }

  /// Reports until told to stop; gives all that was answered.
  private func load(_ cluster: Cluster, _ end: LoadEnd) async throws -> [UsageEvent] {
    var reported: [UsageEvent] = []
    let start = SystemClock().now().hour.start.advanced(by: .seconds(-1800))
    while !end.isReached {
      let events = (0..<500).map { offset in
        Reports.event(
          "new-\(reported.count + offset)", Quantity(Int32(offset)),
          subscription: "s\(offset % 7)", at: start.advanced(by: .seconds(offset)))
      }
      let results = try await cluster.call("collector") { channel in
        try await Reports.reportBlindly(events, to: CollectorClient(channel))
      }
      try #require(results.allSatisfy { $0.isSuccess })
      reported += events
    }
    return reported
  }

  /// Starts a backup, kills it after a while, and gives the state that it left.
  private func killBackup(
    _ cluster: Cluster, _ target: String, after pause: Duration
  ) async throws -> StackmeterRuntime.ExitStatus {
    let process = try ChildProcess(
      "\(Cluster.programs)/stackmeter", ["backup", target],
      environment: cluster.environmentOfServices(), standardOutput: .null, standardError: .null)
    try await Task.sleep(for: pause)
    process.signal(SIGKILL)
    return try await process.waitForExit()
  }

  /// The hashes of the windows of the history, once they are closed.
  private func closedWindows(_ cluster: Cluster) async throws -> [Hour: [UInt8]] {
    try await eventually {
      let reader = try SQLiteUsageReader(path: cluster.settings.usageDatabase)
      let windows = try reader.closedWindows(before: nil, limit: 1000)
        .sorted { $0.window < $1.window }.prefix(Self.windows)
      return windows.count == Self.windows
        ? Dictionary(uniqueKeysWithValues: windows.map { ($0.window, $0.hash) }) : nil
    }
  }

  private func settled(_ cluster: Cluster) async throws -> [String: Quantity] {
    let position = try await cluster.call("collector") { channel in
      try await CollectorClient(channel).status().nextPosition
    }
    return try await Reports.settledTotals(cluster, position: position)
  }

  /// Restores a backup into a cluster of its own and starts it.
  private func withRestored(
    _ backup: String, _ body: (Cluster) async throws -> Void
  ) async throws {
    try await withCluster(overrides: Self.overrides) { cluster in
      let restored = try await cluster.command("restore", backup)
      try #require(restored.status == .exited(0), "\(restored.output)")
      for service in ["collector", "aggregator", "query"] { try cluster.start(service) }
      try await cluster.serving("collector", "aggregator", "query")
      try await body(cluster)
    }
  }

  private func report(_ events: [UsageEvent], to cluster: Cluster) async throws -> Int {
    var accepted = 0
    for start in stride(from: 0, to: events.count, by: 5000) {
      let part = Array(events[start..<min(start + 5000, events.count)])
      let results = try await cluster.call("collector") { channel in
        try await Reports.reportBlindly(part, to: CollectorClient(channel))
      }
      try #require(results.allSatisfy { $0.isSuccess })
      accepted += results.count { if case .accepted = $0 { true } else { false } }
    }
    return accepted
  }

  @Test func `a backup under load, killed and made again, converges to the same rows and hashes`()
    async throws
  {
    try await withCluster(overrides: Self.overrides) { cluster in
      let history = try writeHistory(cluster.settings)
      for service in ["collector", "aggregator", "query"] { try cluster.start(service) }
      try await cluster.serving("collector", "aggregator", "query")
      let (older, newer) = ("\(cluster.directory)/older", "\(cluster.directory)/newer")
      let end = LoadEnd()
      async let reported = load(cluster, end)
      var random = try SeededRandom()
      for _ in 0..<6 {
        let status = try await killBackup(
          cluster, older, after: .milliseconds(Int.random(in: 1...300, using: &random)))
        // It may have been faster than we.
        if status == .exited(0) { break }
        #expect(status == .signalled(SIGKILL))
        #expect(access(older, F_OK) != 0)
      }
      for target in [older, newer] where access(target, F_OK) != 0 {
        let made = try await cluster.command("backup", target)
        try #require(made.status == .exited(0), "\(made.output)")
      }
      #expect(access("\(older).partial", F_OK) != 0)
      end.reach()
      let events = history + (try await reported)
      let totals = try await settled(cluster)
      let hashes = try await closedWindows(cluster)

      try await withRestored(newer) { restored in
        _ = try await settled(restored)
        #expect(try await closedWindows(restored) == hashes)
        // What was accepted after the backup is sent again by its providers; all else is a duplicate.
        let accepted = try await report(events, to: restored)
        #expect(accepted < events.count)
        #expect(try await settled(restored) == totals)
        #expect(try await closedWindows(restored) == hashes)
      }
      // The older database goes on with the newer journal.
      try await withRestoredParts(database: older, rest: newer, cluster.directory) { restored in
        _ = try await settled(restored)
        #expect(try await closedWindows(restored) == hashes)
        _ = try await report(events, to: restored)
        #expect(try await settled(restored) == totals)
      }
    }
  }

  /// Restores the older backup, and then puts the newer one's journal in its place, as the README says.
  private func withRestoredParts(
    database older: String, rest newer: String, _ directory: String,
    _ body: (Cluster) async throws -> Void
  ) async throws {
    try await withCluster(overrides: Self.overrides) { cluster in
      let restored = try await cluster.command("restore", older)
      try #require(restored.status == .exited(0), "\(restored.output)")
      let script =
        "rm -r \"$2/journal\" && cp -r \"$1/journal\" \"$2/journal\""
      let copied = try await Cluster.run(
        "/bin/sh", ["-c", script, "sh", newer, cluster.settings.stateDirectory],
        environment: ["PATH": "/usr/bin:/bin"], outputPath: "\(directory)/copy.log")
      try #require(copied.status == .exited(0), "\(copied.output)")
      for service in ["collector", "aggregator", "query"] { try cluster.start(service) }
      try await cluster.serving("collector", "aggregator", "query")
      try await body(cluster)
    }
  }

  @Test func `a flipped byte, a missing and an unknown file of a backup are refused by name`()
    async throws
  {
    try await withCluster(overrides: Self.overrides) { cluster in
      let history = try writeHistory(cluster.settings)
      for service in ["collector", "aggregator", "query"] { try cluster.start(service) }
      try await cluster.serving("collector", "aggregator", "query")
      let totals = try await settled(cluster)
      let hashes = try await closedWindows(cluster)
      let backup = "\(cluster.directory)/backup"
      let made = try await cluster.command("backup", backup)
      try #require(made.status == .exited(0), "\(made.output)")
      #expect(try await cluster.command("backup", backup).status == .exited(EX_CANTCREAT))
      // Not into what is in use, and not over what is there.
      #expect(try await cluster.command("restore", backup).status == .exited(1))
      for service in ["collector", "aggregator", "query"] { try await cluster.kill(service) }
      let refused = try await cluster.command("restore", backup)
      #expect(refused.status == .exited(EX_CANTCREAT))
      #expect(refused.output.contains("is not empty"))

      let tree = try Tree(backup, below: ["journal", "quarantine"])
      var random = try SeededRandom()
      try await withCluster(overrides: Self.overrides) { other in
        var names = ["usage.sqlite", "backup.json", "query.key"]
        names += (0..<5).map { _ in tree.place(&random).file }
        for name in names {
          let size = try fileContent("\(backup)/\(name)", bytesMax: 1 << 30).count
          try tree.flip(
            name, Int.random(in: 0..<size, using: &random),
            1 << UInt8.random(in: 0..<8, using: &random))
          let answer = try await other.command("restore", backup)
          #expect(answer.status == .exited(EX_DATAERR))
          #expect(answer.output.contains("\(backup)/\(name) is damaged"), "\(answer.output)")
          try tree.restore()
        }
        unlink("\(backup)/query.key")
        let missing = try await other.command("restore", backup)
        #expect(missing.output.contains("query.key is damaged: it is missing"))
        try tree.restore()
        try [1].write(to: "\(backup)/extra")
        let unknown = try await other.command("restore", backup)
        #expect(unknown.output.contains("extra is damaged"))
        unlink("\(backup)/extra")
        #expect(try await other.command("restore", "/nowhere").status == .exited(EX_NOINPUT))
        // Nothing of all this is in the way of the backup that is whole.
        let restored = try await other.command("restore", backup)
        #expect(restored.status == .exited(0), "\(restored.output)")
        for service in ["collector", "aggregator", "query"] { try other.start(service) }
        try await other.serving("collector", "aggregator", "query")
        #expect(try await settled(other) == totals)
        #expect(try await closedWindows(other) == hashes)
        #expect(try await report(history, to: other) == 0)
      }
    }
  }

  @Test func `without a usage database the journal is enough`() async throws {
    try await withCluster(overrides: Self.overrides) { cluster in
      _ = try writeHistory(cluster.settings)
      for service in ["collector", "aggregator", "query"] { try cluster.start(service) }
      try await cluster.serving("collector", "aggregator", "query")
      let totals = try await settled(cluster)
      let hashes = try await closedWindows(cluster)
      for service in ["collector", "aggregator", "query"] { try await cluster.kill(service) }
      for suffix in ["", "-wal", "-shm"] { unlink(cluster.settings.usageDatabase + suffix) }
      let backup = "\(cluster.directory)/backup"
      let made = try await cluster.command("backup", backup)
      #expect(made.status == .exited(0) && made.output.contains("made anew from the journal"))
      try await withRestored(backup) { restored in
        let restoredTotals = try await settled(restored)
        let restoredHashes = try await closedWindows(restored)
        #expect(restoredTotals == totals && restoredHashes == hashes)
      }
    }
  }

  /// How far the bridge was, what waits and what was refused; but not the secret that it sends with.
  @Test
  func `the outbox of the bridge outlives the host, and sends nothing until it is registered`()
    async throws
  {
    try await withCluster(overrides: Self.overrides) { cluster in
      _ = try writeHistory(cluster.settings)
      for service in ["collector", "aggregator", "query", "bridge"] { try cluster.start(service) }
      try await cluster.serving("collector", "aggregator", "query", "bridge")
      _ = try await closedWindows(cluster)
      let first = Hour(index: SystemClock().now().hour.index - Int64(Self.windows))
      try await register(cluster, from: first)
      let before = try await eventually {
        let status = try await bridgeStatus(cluster)
        return status.nextWindow.index >= first.index + Int64(Self.windows) && status.pending > 0
          ? status : nil
      }
      let backup = "\(cluster.directory)/backup"
      let made = try await cluster.command("backup", backup)
      try #require(made.status == .exited(0), "\(made.output)")
      #expect(access("\(backup)/bridge/outbox.sqlite", F_OK) == 0)
      #expect(access("\(backup)/bridge/registration.json", F_OK) != 0)
      try await withRestored(backup) { restored in
        try restored.start("bridge")
        try await restored.serving("bridge")
        let idle = try await bridgeStatus(restored)
        #expect(idle.state == "unregistered")
        // It goes on where it was, wherever somebody says that it shall begin.
        try await register(restored, from: Hour(index: 400_000))
        let after = try await bridgeStatus(restored)
        #expect(after.nextWindow >= before.nextWindow && after.pending >= before.pending)
        #expect(after.oldestWindow == before.oldestWindow)
      }
    }
  }

  private func register(_ cluster: Cluster, from: Hour) async throws {
    let path = "\(cluster.directory)/registration.json"
    try Array(
      (#"{"site":"s","model":"capacity","endpoint":"http://127.0.0.1:1/","key":"secret","#
        + #""from":"\#(from)"}"#).utf8
    ).write(to: path)
    let told = try await cluster.command("bridge", "register", path)
    try #require(told.status == .exited(0), "\(told.output)")
  }

  private func bridgeStatus(_ cluster: Cluster) async throws -> BridgeStatus {
    try await cluster.call("bridge") { try await BridgeClient($0).status() }
  }

  /// What somebody at the host changes is in the log, and the log is in the backup.
  @Test func `the audit log has the changes of the command line, and outlives the host`()
    async throws
  {
    try await withCluster(overrides: Self.overrides) { cluster in
      try cluster.start("collector")
      try await cluster.serving("collector")
      let token = try await cluster.command("token", "create", "--role", "operator")
      try #require(token.status == .exited(0), "\(token.output)")
      let declared = try await cluster.command(
        "heartbeat", "/providers/a", "--complete-until", "2026-11-23")
      try #require(declared.status == .exited(0), "\(declared.output)")
      // 1 is no entry: what failed is in the log, too.
      let absent = try await cluster.command("quarantine", "discard", "1")
      try #require(absent.status == .exited(1), "\(absent.output)")
      // The aggregator does not run.
      let restate = try await cluster.command("restate")
      try #require(restate.status != .exited(0), "\(restate.output)")

      let log = try await log(cluster)
      let operations = log.map { $0.split(separator: "\"operation\":\"").last ?? "" }
        .map { String($0.prefix { $0 != "\"" }) }
      #expect(
        operations
          == [
            "stackmeter token create", "stackmeter heartbeat", "stackmeter quarantine discard",
            "stackmeter restate",
          ].flatMap { [$0, $0] })
      #expect(log[2].contains("heartbeat /providers/a --complete-until 2026-11-23"))
      #expect(log[3].contains("\"filter\":\"done\""))
      #expect(log[7].contains("failed: "))

      let backup = "\(cluster.directory)/backup"
      let made = try await cluster.command("backup", backup)
      try #require(made.status == .exited(0), "\(made.output)")
      try await withCluster(overrides: Self.overrides) { other in
        let restored = try await other.command("restore", backup)
        try #require(restored.status == .exited(0), "\(restored.output)")
        let restoredLog = try await self.log(other)
        #expect(Array(restoredLog.prefix(log.count)) == log)
        #expect(restoredLog.count == log.count + 2)
        #expect(restoredLog.last?.contains("stackmeter restore") == true)
      }
    }
  }

  /// The lines of the audit log, which must be whole.
  private func log(_ cluster: Cluster) async throws -> [String] {
    let verified = try await cluster.command("audit", "verify")
    try #require(verified.status == .exited(0), "\(verified.output)")
    let content = try fileContent(
      "\(cluster.settings.auditDirectory)/audit.jsonl", bytesMax: 1 << 20)
    return String(decoding: content, as: UTF8.self).split(separator: "\n").map(String.init)
  }
}
