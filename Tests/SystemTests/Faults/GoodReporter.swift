import CollectorClient
import GRPCCore
import Glibc
import StackmeterCore
import StackmeterRuntime
import StackmeterTesting
import Synchronization
import Testing

/// A reporter that does everything right, and wants every answer in time.
final class GoodReporter: Sendable {
  private let isOver = Atomic(false)
  private let count = Atomic(0)
  private let textBytes = Atomic(0)

  var answered: Int { count.load(ordering: .relaxed) }
  var goesOn: Bool { !isOver.load(ordering: .relaxed) }

  func stop() { isOver.store(true, ordering: .relaxed) }

  /// Reports one event; throws where it is not accepted within the time of a report.
  func report(_ collector: CollectorClient) async throws {
    let number = count.load(ordering: .relaxed)
    let now = SystemClock().now()
    let bytes = textBytes.load(ordering: .relaxed)
    let events = (0..<(bytes > 0 ? 20 : 1)).map { index in
      OracleEvent(
        source: "good", number: number * 100 + index, subscription: 0,
        start: now.nanoseconds - 600_000_000_000, attos: 1, textBytes: bytes
      ).event
    }
    let results = try await collector.report(events)
    let areAllTaken = results.allSatisfy { $0.isSuccess }
    try #require(areAllTaken)
    count.add(1, ordering: .relaxed)
  }

  /// Returns once there are `reports` more, each with events that carry so long a text.
  func more(_ reports: Int, textBytes: Int = 0) async throws {
    self.textBytes.store(textBytes, ordering: .relaxed)
    let before = answered
    _ = try await eventually { answered >= before + reports ? true : nil }
  }
}

/// A connection of a peer that is kept until it is let go of.
final class HeldConnection: Sendable {
  private let connection: RawConnection

  init(_ path: String) throws {
    connection = try RawConnection(path, sendSeconds: 1)
  }

  /// Lets this process have as many descriptors as these tests need.
  static func allowMany() throws {
    var limit = rlimit()
    let descriptors = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard getrlimit(descriptors, &limit) == 0, limit.rlim_max >= 4096 else {
      throw ClusterError("the host allows \(limit.rlim_max) descriptors; 4096 are needed")
    }
    limit.rlim_cur = max(limit.rlim_cur, 4096)
    guard setrlimit(descriptors, &limit) == 0 else {
      throw ClusterError("cannot have more descriptors: \(errno)")
    }
  }

  /// Sends as much as the other side takes.
  func send(_ bytes: [UInt8]) { connection.send(bytes) }
}

extension Cluster {
  /// What the kernel says that a service occupies.
  func residentBytes(_ service: String) throws -> Int {
    let status = String(
      decoding: try fileContent("/proc/\(pid(service) ?? 0)/status"), as: UTF8.self)
    guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmRSS:") }),
      let kibibytes = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
    else { throw ClusterError("\(service) has no resident memory: \(status)") }
    return kibibytes << 10
  }
}
