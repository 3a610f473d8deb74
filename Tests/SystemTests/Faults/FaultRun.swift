import CollectorClient
import GRPCCore
import StackmeterCore
import StackmeterRPC
import StackmeterRuntime
import StackmeterTesting
import StackmeterWire
import Synchronization

/// One scripted run of the collector with one fault in it, and what an oracle finds after a start without any.
///
/// The script is start, batches, stop, start, batches, stop: single events, large rows that fill several
/// segments of the journal, events sent twice, events that are refused, voids in front of their events and behind them.
/// Enough events for a file of the dedup index.
struct FaultRun {
  static let batches = 50
  private static let smallEvents = 120
  /// What the events of one batch may be numbered with.
  private static let numbers = 1000
  /// After these the collector is stopped and started again.
  private static let batchesBeforeStop = 40
  static let settings = [
    "STACKMETER_COLLECTOR_JOURNAL_SEGMENT_MEBIBYTES": "1",
    "STACKMETER_COLLECTOR_DISK_RESERVE_MEBIBYTES": "1",
    "STACKMETER_COLLECTOR_DEDUP_MEBIBYTES_MAX": "1",
  ]

  private let cluster: Cluster
  private let oracle: Oracle
  private let environment: [String: String]
  private var random: SeededRandom
  private var sent: [OracleEvent] = []
  /// Its void was sent, and waits for it.
  private var awaited: OracleEvent?
  /// The ids of what was answered as refused.
  private var refused: Set<String> = []

  init(_ cluster: Cluster, environment: [String: String], seed: UInt64) throws {
    self.cluster = cluster
    self.environment = environment
    oracle = try Oracle(path: "\(cluster.directory)/oracle")
    random = SeededRandom(seed: seed)
  }

  /// How the collector ended, where it did so by itself.
  mutating func run() async throws -> ExitStatus? {
    for numbers in [0..<FaultRun.batchesBeforeStop, FaultRun.batchesBeforeStop..<FaultRun.batches] {
      try cluster.start("collector", environment: environment)
      guard try await cluster.collectorServes() else {
        return try await cluster.waitForExit("collector")
      }
      let connection = try RPCConnection(socketPath: cluster.settings.socketPath("collector"))
      let running = Task { try await connection.run() }
      let status = try await report(numbers, CollectorClient(connection.channel))
      connection.stop()
      try await running.value
      if let status { return status }
      let ended = try await cluster.stop("collector")
      // A fault may come as late as in the stop.
      if ended != .exited(0) { return ended }
    }
    return nil
  }

  private mutating func report(
    _ numbers: Range<Int>, _ collector: CollectorClient
  ) async throws -> ExitStatus? {
    for number in numbers {
      let (events, bad) = batch(number)
      let isNew = events.last.map { !sent.contains($0) } ?? false
      if isNew {
        try await oracle.willSend(events)
        sent += events
      }
      do throws(RPCError) {
        let results = try await collector.report(events.map(\.event) + bad)
        let wrong = try await attempt { () async throws in
          try await oracle.answered(events, results)
        }
        let areRefused = results.dropFirst(events.count).allSatisfy { $0.refusal != nil }
        guard wrong.isEmpty, areRefused else {
          throw RPCError(code: .dataLoss, message: "wrong answers: \(results)")
        }
        refused.formUnion(bad.map(\.id))
      } catch {
        guard error.code != .dataLoss else { throw error }
        if let status = try await ended(after: error) { return status }
      }
    }
    return nil
  }

  private func attempt<Result>(
    _ body: () async throws -> Result
  ) async throws(RPCError) -> Result {
    do { return try await body() } catch { throw RPCError(code: .dataLoss, message: "\(error)") }
  }

  /// A collector that refuses goes on; one that breaks off ends.
  private func ended(after error: RPCError) async throws -> ExitStatus? {
    if error.code == .resourceExhausted { return nil }
    return try await cluster.waitForExit("collector")
  }

  /// What the number says: accepted before or acceptable, and what is to be refused.
  private mutating func batch(_ number: Int) -> ([OracleEvent], [UsageEvent]) {
    let now = SystemClock().now()
    func events(_ count: Int, textBytes: Int) -> [OracleEvent] {
      (0..<count).map {
        OracleEvent.random(
          "script", number * FaultRun.numbers + $0, textBytes: textBytes, using: &random, now: now)
      }
    }
    switch number % 5 {
    case 0:
      defer { awaited = nil }
      return (events(1, textBytes: 0) + [awaited].compactMap { $0 }, [])
    case 4:
      var unknown = OracleEvent.random("script", number, using: &random, now: now).event
      unknown.id = "unknown-\(number)"
      unknown.series.meter = "no-such-meter"
      var late = OracleEvent.random("script", number, using: &random, now: now).event
      late.id = "late-\(number)"
      late.usageStart = late.usageStart.advanced(by: .seconds(-40 * 86_400))
      late.usageEnd = late.usageStart
      return (Array(sent.suffix(2)), [unknown, late])
    case 3:
      let small = events(FaultRun.smallEvents - 3, textBytes: 0)
      let target = OracleEvent.random(
        "script", number * FaultRun.numbers + FaultRun.smallEvents, using: &random, now: now)
      awaited = target
      let first = number * FaultRun.numbers + FaultRun.smallEvents - 3
      let voids = [small[0], small[1], target].enumerated().map { $1.void(first + $0) }
      return ([voids[0]] + small + voids[1...], [])
    default: return (events(12, textBytes: 8000), [])
    }
  }

  /// Starts the collector without a fault and audits it.
  func audit() async throws -> Audit {
    try cluster.start("collector")
    guard try await cluster.collectorServes() else {
      throw ClusterError("it does not start again: \(cluster.log("collector"))")
    }
    let (oracle, refused) = (oracle, refused)
    let audit = try await cluster.call("collector") { channel in
      let collector = CollectorClient(channel)
      var audit = Audit()
      try await audit.run(oracle, collector)
      let kept = try await FaultRun.quarantined(collector)
      guard refused.isSubset(of: kept) else {
        throw ClusterError("not in quarantine: \(refused.subtracting(kept))")
      }
      return audit
    }
    try await cluster.kill("collector")
    return audit
  }

  private static func quarantined(_ collector: CollectorClient) async throws -> Set<String> {
    var ids: Set<String> = []
    var last: UInt64 = 0
    while true {
      let page = try await collector.listQuarantine(
        ListQuarantineRequest(afterNumber: last, pageSize: 1000))
      ids.formUnion(page.entries.map(\.event.id))
      guard page.more else { return ids }
      last = page.lastNumber
    }
  }
}
