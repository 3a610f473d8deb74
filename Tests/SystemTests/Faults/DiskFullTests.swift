import CollectorClient
import GRPCCore
import Glibc
import StackmeterCore
import StackmeterRPC
import StackmeterRuntime
import StackmeterTesting
import StackmeterWire
import Testing

/// A disk that others fill and free while the collector writes.
@Suite(.serialized, .timeLimit(.minutes(10))) struct DiskFullTests {
  private static let diskMebibytes = 24

  @Test func `a disk that others fill is refused, and taken again once it is free`() async throws {
    let rounds = try setting("STACKMETER_DISK_FILLS", default: 10)
    var random = try SeededRandom()
    let seed = random.seed
    try await withCluster(overrides: FaultRun.settings) { cluster in
      let oracle = try Oracle(path: "\(cluster.directory)/oracle")
      let disk = try await SmallDisk(cluster, mebibytes: Self.diskMebibytes)
      var audit = Audit()
      var refusals = 0
      var number = 0
      for round in 0..<rounds {
        // Some batches with room, some without.
        for isFull in [false, true] {
          if isFull { try disk.fill(leaving: Int.random(in: 0...(900 << 10), using: &random)) }
          for _ in 0..<Int.random(in: 1...8, using: &random) {
            let now = SystemClock().now()
            let events = (0..<5).map {
              OracleEvent.random(
                "full", number + $0, textBytes: 4000, using: &random, now: now)
            }
            number += events.count
            try await oracle.willSend(events)
            switch await Self.report(cluster, events.map(\.event)) {
            case .success(let results):
              try #require(try await oracle.answered(events, results) == [])
            case .failure(let error):
              #expect(error.code == .resourceExhausted, "round \(round): \(error)")
              refusals += 1
            }
          }
        }
        try disk.free()
        let before = audit
        audit = try await cluster.call("collector") { channel in
          // By itself, without a start.
          let collector = CollectorClient(channel)
          _ = try await eventually {
            try await collector.status().refusing.isEmpty ? true : nil
          }
          var audit = before
          try await audit.run(oracle, collector)
          return audit
        }
        try #require(audit.isClean, "STACKMETER_SEED=\(seed): round \(round): \(audit.summary)")
      }
      say("\(rounds) times a full disk, \(refusals) refusals: \(audit.summary)")
      #expect(refusals >= rounds / 2)
      try await disk.stop()
    }
  }

  private static func report(
    _ cluster: Cluster, _ events: [UsageEvent]
  ) async -> Result<[EventResult], RPCError> {
    do {
      return .success(
        try await cluster.call("collector") { try await CollectorClient($0).report(events) })
    } catch {
      return .failure(error as? RPCError ?? RPCError(code: .unknown, message: "\(error)"))
    }
  }
}

/// A file system in memory, in a mount namespace of its own, with a collector on it.
///
/// Needs `unshare` and root, or a host that gives namespaces to users.
private final class SmallDisk {
  private let process: ChildProcess
  private let filler: String

  init(_ cluster: Cluster, mebibytes: Int) async throws {
    let state = cluster.settings.stateDirectory
    guard mkdir(state, 0o750) == 0 else { throw ClusterError("cannot make \(state)") }
    let inNamespace = getuid() == 0 ? ["--mount"] : ["--mount", "--map-root-user"]
    let log = open(
      "\(cluster.directory)/small.log", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
    defer { close(log) }
    process = try ChildProcess(
      "/usr/bin/unshare",
      inNamespace + [
        "sh", "-c",
        "mount -t tmpfs -o size=\(mebibytes)m tmpfs \"$0\" && exec \"$1\"", state,
        "\(Cluster.programs)/stackmeter-collector",
      ], environment: cluster.environmentOfServices(), standardOutput: .descriptor(log),
      standardError: .descriptor(log))
    // What the collector sees as its state directory, seen from outside.
    filler = "/proc/\(process.pid)/root\(state)/filler"
    let process = process
    let serves = try await eventually {
      guard process.exitStatus == nil else { return false }
      return (try? RawConnection(cluster.settings.socketPath("collector"))) != nil ? true : nil
    }
    guard serves else {
      let said = try fileContent("\(cluster.directory)/small.log")
      throw ClusterError(
        "no collector on a disk of its own: \(String(decoding: said, as: UTF8.self))")
    }
  }

  /// Takes all but about `leaving` bytes.
  func fill(leaving: Int) throws {
    let descriptor = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
    defer { close(descriptor) }
    var status = statvfs()
    guard descriptor >= 0, fstatvfs(descriptor, &status) == 0 else {
      throw ClusterError("cannot fill the disk: \(errno)")
    }
    let free = Int(status.f_bavail) * Int(status.f_frsize)
    guard free > leaving else { return }
    guard posix_fallocate(descriptor, 0, off_t(free - leaving)) == 0 else {
      throw ClusterError("cannot fill the disk")
    }
  }

  func free() throws {
    guard unlink(filler) == 0 else { throw ClusterError("cannot free the disk: \(errno)") }
  }

  func stop() async throws {
    process.signal(SIGTERM)
    #expect(try await process.waitForExit() == .exited(0))
  }
}
