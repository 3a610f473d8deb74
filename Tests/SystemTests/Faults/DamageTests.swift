import CollectorClient
import GRPCCore
import Glibc
import StackmeterCore
import StackmeterRPC
import StackmeterRuntime
import StackmeterTesting
import Testing

/// Bits that change on the disk while the collector is not running.
@Suite(.serialized, .timeLimit(.minutes(30))) struct DamageTests {
  /// The events of the last commit. Nothing tells its damage from a write that a crash tore, so that it may be
  /// cut off, which is then logged.
  private static let lastSource = "last"

  @Test func `a flipped bit is survived exactly, or is refused with its place`() async throws {
    let flips = try setting("STACKMETER_FLIPS", default: 200)
    var random = try SeededRandom()
    let seed = random.seed
    try await withCluster(overrides: FaultRun.settings) { cluster in
      let oraclePath = "\(cluster.directory)/oracle"
      try await Self.fill(cluster, try Oracle(path: oraclePath), &random)
      let original = try Tree(cluster.settings.stateDirectory, below: ["journal", "dedup"])
      var counts = (served: 0, cut: 0, refused: 0, dedup: 0)
      for flip in 0..<flips {
        let (file, offset) = original.place(&random)
        let name = "STACKMETER_SEED=\(seed): flip \(flip), \(file) at byte \(offset)"
        try original.flip(file, offset, 1 << UInt8.random(in: 0...7, using: &random))
        counts.dedup += file.hasPrefix("dedup/") ? 1 : 0
        switch try await Self.start(cluster, oraclePath) {
        case .serves(let audit, let isCut):
          try #require(audit.isClean, "\(name): \(audit.summary)")
          counts.served += 1
          counts.cut += isCut ? 1 : 0
          try original.restore()
        case .refuses(let status, let log):
          // It says which file and which byte, and is whole again with that byte as it was.
          try #require(status != .exited(0) && log.contains(file), "\(name): \(log)")
          try #require(log.contains("byte"), "\(name): \(log)")
          counts.refused += 1
          if counts.refused % 20 == 1 {
            try original.flip(file, offset, 0)
            guard case .serves(let audit, false) = try await Self.start(cluster, oraclePath)
            else { throw ClusterError("\(name): it does not start with the byte restored") }
            try #require(audit.isClean, "\(name): \(audit.summary)")
          }
          try original.restore()
        }
      }
      say(
        "\(flips) bit flips: \(counts.refused) refused with a diagnosis, \(counts.served) served "
          + "exactly, \(counts.cut) of these with the last commit cut off and logged; "
          + "\(counts.dedup) were in the dedup index")
      #expect(counts.refused > 0 && counts.dedup > 0)
    }
  }

  private enum Outcome {
    case serves(Audit, isCut: Bool)
    /// It ended by itself, or refused a reader for good.
    case refuses(StackmeterRuntime.ExitStatus, log: String)
  }

  private static func start(_ cluster: Cluster, _ oraclePath: String) async throws -> Outcome {
    let logged = cluster.log("collector").utf8.count
    try cluster.start("collector")
    let serves = try await cluster.collectorServes()
    let log = String(decoding: cluster.log("collector").utf8.dropFirst(logged), as: UTF8.self)
    guard serves else {
      return .refuses(try await cluster.waitForExit("collector"), log: log)
    }
    let isCut = log.contains(#""level":"warning""#)
    do {
      let audit = try await cluster.call("collector") { channel in
        let oracle = try Oracle(reading: oraclePath)
        let last = oracle.entries.map(\.event).filter { $0.source == lastSource }.map(\.key)
        var audit = Audit()
        try await audit.run(
          oracle, CollectorClient(channel), mayBeLost: isCut ? Set(last) : [])
        return audit
      }
      try await cluster.kill("collector")
      return .serves(audit, isCut: isCut)
    } catch let error as RPCError where error.code == .dataLoss {
      // What is inside of a segment that is not the last is checked when it is read.
      try await cluster.kill("collector")
      return .refuses(.signalled(SIGKILL), log: error.message)
    }
  }

  /// Sealed and raw segments of events, a file of the dedup index, and one more commit.
  private static func fill(
    _ cluster: Cluster, _ oracle: Oracle, _ random: inout SeededRandom
  ) async throws {
    try cluster.start("collector")
    try #require(try await cluster.collectorServes())
    let now = SystemClock().now()
    for batch in 0...30 {
      let isLast = batch == 30
      if isLast { try await housekeepingIsDone(cluster) }
      let isLarge = batch % 3 > 0
      let events = (0..<(isLast ? 1 : isLarge ? 12 : 120)).map {
        OracleEvent.random(
          isLast ? lastSource : "fill", batch * 1000 + $0,
          textBytes: !isLast && isLarge ? 8000 : 0, using: &random, now: now)
      }
      try await oracle.willSend(events)
      let results = try await cluster.call("collector") { channel in
        try await CollectorClient(channel).report(events.map(\.event))
      }
      try #require(try await oracle.answered(events, results) == [])
    }
    try #require(try await cluster.stop("collector") == .exited(0))
  }

  private static func housekeepingIsDone(_ cluster: Cluster) async throws {
    _ = try await eventually {
      try Tree.hasBeenKept(cluster.settings.stateDirectory) ? true : nil
    }
  }
}
