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
      var counts = (served: 0, cut: 0, refused: 0)
      for flip in 0..<flips {
        let (file, offset) = original.place(&random)
        let name = "STACKMETER_SEED=\(seed): flip \(flip), \(file) at byte \(offset)"
        try original.flip(file, offset, 1 << UInt8.random(in: 0...7, using: &random))
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
          + "exactly, \(counts.cut) of these with the last commit cut off and logged")
      #expect(counts.refused > 0)
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
      let names = try Tree.list(cluster.settings.stateDirectory)
      let isSealed = names.contains { $0.hasPrefix("journal/") && $0.hasSuffix(".sealed") }
      let isFiled = names.contains { $0.hasPrefix("dedup/") && $0.hasSuffix(".entries") }
      return isSealed && isFiled ? true : nil
    }
  }
}

/// The files below a directory, as they were when this was made.
private struct Tree {
  private let root: String
  private let damaged: [[String]]
  private let files: [String: [UInt8]]

  /// All files below `root`; those in its directories `below` are the ones to damage.
  init(_ root: String, below: [String]) throws {
    self.root = root
    let names = try Tree.list(root)
    files = try Dictionary(
      uniqueKeysWithValues: names.map { ($0, try fileContent("\(root)/\($0)", bytesMax: 1 << 30)) })
    damaged = below.map { directory in names.filter { $0.hasPrefix("\(directory)/") }.sorted() }
    guard damaged.allSatisfy({ !$0.isEmpty }) else {
      throw ClusterError("one of \(below) has no files")
    }
  }

  /// Any byte of any file of the first directory alike, but half of the time near the end of one, where the newest
  /// is; and one in four of the other directories.
  func place(_ random: inout SeededRandom) -> (file: String, offset: Int) {
    let isFirst = Int.random(in: 0..<4, using: &random) > 0
    let damaged = isFirst ? damaged[0] : damaged.dropFirst().randomElement(using: &random)!
    let sizes = damaged.map { files[$0]!.count }
    var offset = Int.random(in: 0..<sizes.reduce(0, +), using: &random)
    for (name, size) in zip(damaged, sizes) {
      if offset < size {
        let used = (files[name]!.lastIndex { $0 != 0 } ?? 0) + 1
        return Bool.random(using: &random)
          ? (name, offset)
          : (name, max(0, used - 1 - Int.random(in: 0..<min(used, 4096), using: &random)))
      }
      offset -= size
    }
    preconditionFailure("the offset lies in one of the files")
  }

  /// Writes one byte of one file: as it was, but for the bits of `mask`.
  func flip(_ file: String, _ offset: Int, _ mask: UInt8) throws {
    let descriptor = open("\(root)/\(file)", O_WRONLY | O_CLOEXEC)
    defer { close(descriptor) }
    var byte = files[file]![offset] ^ mask
    guard pwrite(descriptor, &byte, 1, off_t(offset)) == 1 else {
      throw ClusterError("cannot change \(file): \(errno)")
    }
  }

  func restore() throws {
    for name in try Tree.list(root) where files[name] == nil { unlink("\(root)/\(name)") }
    for (name, content) in files { try content.write(to: "\(root)/\(name)") }
  }

  /// The paths of the files below a directory, relative to it.
  static func list(_ root: String, _ prefix: String = "") throws -> [String] {
    guard let stream = opendir("\(root)/\(prefix)") else {
      throw ClusterError("cannot list \(root)/\(prefix): \(errno)")
    }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name == "." || name == ".." { continue }
      if entry.pointee.d_type == UInt8(DT_DIR) {
        names += try list(root, "\(prefix)\(name)/")
      } else {
        names.append(prefix + name)
      }
    }
    return names
  }
}
