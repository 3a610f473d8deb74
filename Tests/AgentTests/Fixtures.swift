internal import Glibc
internal import Logging
internal import StackmeterCore
internal import StackmeterTesting
internal import Synchronization

@testable import AgentServer

/// A clock that a test sets.
final class TestClock: WallClock {
  private let present: Mutex<Instant>

  init(_ text: String) { present = Mutex(Instant(parsing: text)!) }

  func now() -> Instant { present.withLock { $0 } }
  func advance(seconds: Int) { present.withLock { $0 = $0.advanced(by: .seconds(seconds)) } }
  func set(_ text: String) { present.withLock { $0 = Instant(parsing: text)! } }
}

/// A collector that deduplicates as the real one does, and fails where a test wants it to.
final class TestCollector: EventReporter {
  enum Behaviour {
    case accept
    /// Nothing arrives.
    case unreachable
    /// Everything is accepted, but no answer comes back.
    case silent
    case refuse
  }

  struct Ledger {
    var behaviour = Behaviour.accept
    var events: [String: UsageEvent] = [:]
    var order: [UsageEvent] = []
    var conflicts = 0
    var calls = 0
    var heartbeats: [Heartbeat] = []
  }

  struct Unreachable: Error {}

  let ledger = Mutex(Ledger())

  func behave(_ behaviour: Behaviour) { ledger.withLock { $0.behaviour = behaviour } }
  /// The events that were accepted, each once, in the order of their arrival.
  var events: [UsageEvent] { ledger.withLock { $0.order } }
  var calls: Int { ledger.withLock { $0.calls } }
  var conflicts: Int { ledger.withLock { $0.conflicts } }
  var heartbeats: [Heartbeat] { ledger.withLock { $0.heartbeats } }

  func heartbeat(_ heartbeat: Heartbeat) async throws {
    try ledger.withLock { ledger throws(Unreachable) in
      guard ledger.behaviour != .unreachable else { throw Unreachable() }
      ledger.heartbeats.append(heartbeat)
      guard ledger.behaviour != .silent else { throw Unreachable() }
    }
  }

  func report(_ events: [UsageEvent]) async throws -> [EventResult] {
    try ledger.withLock { ledger throws(Unreachable) in
      ledger.calls += 1
      guard ledger.behaviour != .unreachable else { throw Unreachable() }
      guard ledger.behaviour != .refuse else {
        return events.map { _ in
          .quarantined(Refusal(.tooOld, field: "usageStart", "past the lateness limit"))
        }
      }
      var results: [EventResult] = []
      for event in events {
        if let first = ledger.events[event.id] {
          if first != event { ledger.conflicts += 1 }
          results.append(.duplicate(position: 1))
        } else {
          ledger.events[event.id] = event
          ledger.order.append(event)
          results.append(.accepted(position: 1, reportedTime: Instant(nanoseconds: 0)))
        }
      }
      guard ledger.behaviour != .silent else { throw Unreachable() }
      return results
    }
  }

  /// The exact total of a meter, of one resource or subscription where that is given.
  func total(
    _ meter: AgentMeter, resource suffix: String = "", subscription: String? = nil
  ) -> Quantity {
    events.filter {
      $0.series.meter == meter.id && $0.series.resource.uri.hasSuffix(suffix)
        && (subscription == nil || $0.series.subscription == subscription)
    }.reduce(.zero) { $0.adding($1.quantity)! }
  }
}

/// A host, its clock, its collector and the state file of its agent, in a directory of their own.
struct TestHost {
  let kernel = FixtureKernel()
  let clock = TestClock("2026-11-23T15:00:30Z")
  let collector = TestCollector()
  let statePath: String
  var configuration = AgentConfiguration()

  /// Lends a host and removes its directory afterwards.
  static func with(_ body: (inout TestHost) async throws -> Void) async throws {
    try await withTemporaryDirectory { path in
      var host = TestHost(statePath: "\(path)/agent.json")
      try await body(&host)
    }
  }

  /// The agent as a process of the host would be: after it is released, another may start.
  func agent(pendingEventsMax: Int = AgentLimits.pendingEventsMax) throws -> Agent {
    try Agent(
      configuration: configuration, clock: clock, kernel: kernel, statePath: statePath,
      reporter: collector, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
      pendingEventsMax: pendingEventsMax)
  }

  /// Samples every 5 s until `seconds` passed, and delivers after each.
  func pass(_ seconds: Int, _ agent: Agent) async {
    for _ in 0..<(seconds / 5) {
      clock.advance(seconds: 5)
      await agent.sample()
      await agent.deliver()
    }
  }
}

struct TestFailure: Error { let problem: String }

func writeFile(_ path: String, bytes: Int) throws {
  let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
  guard descriptor >= 0 else { throw TestFailure(problem: "cannot write \(path)") }
  defer { close(descriptor) }
  let content = [UInt8](repeating: 7, count: bytes)
  guard write(descriptor, content, bytes) == bytes, fsync(descriptor) == 0 else {
    throw TestFailure(problem: "cannot write \(path)")
  }
}

/// A file of the repository's, by its path below the top.
func repositoryFile(_ path: String) throws -> [UInt8] {
  let top = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
  guard let bytes = try LinuxKernel().contents(of: "/\(top)/\(path)") else {
    throw TestFailure(problem: "\(path) is missing")
  }
  return bytes
}
