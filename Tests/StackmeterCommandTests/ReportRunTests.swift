internal import CollectorClient
internal import GRPCCore
internal import GRPCInProcessTransport
internal import Glibc
internal import Logging
internal import StackmeterCore
internal import StackmeterRPC
internal import StackmeterTesting
internal import StackmeterWire
internal import Synchronization
internal import Testing

@testable import StackmeterCommand

/// Reports to a collector that follows a script, in this process.
@Suite(.timeLimit(.minutes(1)))
struct ReportRunTests {
  /// Takes events once each, refuses those whose id starts with `bad`, and loses its streams when told to.
  private final class ScriptedCollector: RPCEndpoint {
    static let serviceName = CollectorMethods.service

    struct State {
      var ids: Set<String> = []
      var received = 0
      /// Streams fail after so many batches, one stream for each number.
      var losses: [Int] = []
      var batchesMax = 0
    }

    let state: Mutex<State>

    init(losses: [Int] = []) {
      state = Mutex(State(losses: losses))
    }

    func register<Transport: ServerTransport>(with routes: inout RPCRoutes<Transport>) {
      routes.bidirectional(CollectorMethods.reportStream) { [self] batches, writer in
        var left = state.withLock { $0.losses.isEmpty ? nil : $0.losses.removeFirst() }
        for try await batch in batches {
          let results = state.withLock { state in
            state.batchesMax = max(state.batchesMax, batch.batch.count)
            return (0..<batch.batch.count).map { take(batch.batch.id($0), &state) }
          }
          if left == 0 { throw RPCError(code: .unavailable, message: "the script says so") }
          left = left.map { $0 - 1 }
          try await writer.write(BatchResult(number: batch.number, results: EventResults(results)))
        }
      }
    }

    private func take(_ id: String, _ state: inout State) -> EventResult {
      state.received += 1
      if id.hasPrefix("bad") {
        return .quarantined(Refusal(.tooOld, field: "usageStart", "is past the lateness limit"))
      }
      let isNew = state.ids.insert(id).inserted
      let position = UInt64(state.received)
      return isNew
        ? .accepted(position: position, reportedTime: Instant(nanoseconds: Int64(position)))
        : .duplicate(position: position)
    }
  }

  private func report(
    _ text: String, to collector: ScriptedCollector, outageMax: Duration = .seconds(30),
    observer: ReportRun.Observer = .init()
  ) async throws -> ReportLedger.Tally {
    let directory = try TemporaryDirectory()
    let descriptor = open(try directory.write("input", text), O_RDONLY)
    defer { close(descriptor) }
    let transport = InProcessTransport()
    let server = GRPCServer(
      transport: transport.server,
      router: .serving([collector], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    )
    return try await withThrowingTaskGroup { group in
      group.addTask { try await server.serve() }
      defer { server.beginGracefulShutdown() }
      return try await withGRPCClient(transport: transport.client) { client in
        try await ReportRun(
          CollectorClient(GRPCChannel(client, over: transport.client)),
          reader: EventReader(descriptor: descriptor, name: "input"), outageMax: outageMax,
          observer: observer
        ).run()
      }
    }
  }

  private func lines(_ count: Int, _ prefix: String = "e") -> String {
    (0..<count).map { eventLine("\(prefix)\($0)", source: "s\($0 % 3)") + "\n" }.joined()
  }

  @Test
  func `every event is reported once`() async throws {
    let collector = ScriptedCollector()
    let tally = try await report(lines(5000), to: collector)
    #expect(tally == .init(lines: 5000, accepted: 5000, duplicates: 0, refused: 0))
    #expect(collector.state.withLock { $0.ids.count } == 5000)
    #expect(collector.state.withLock { $0.batchesMax } <= 1000)
    let again = try await report(lines(5000), to: collector)
    #expect(again == .init(lines: 5000, accepted: 0, duplicates: 5000, refused: 0))
  }

  @Test
  func `a lost stream costs nothing and counts nothing twice`() async throws {
    let collector = ScriptedCollector(losses: [4, 0, 1])
    let waits = Mutex(0)
    let tally = try await report(
      lines(5000), to: collector,
      observer: .init(waiting: { _ in waits.withLock { $0 += 1 } }))
    #expect(tally.lines == 5000)
    #expect(tally.accepted + tally.duplicates == 5000)
    #expect(tally.refused == 0)
    #expect(collector.state.withLock { $0.ids.count } == 5000)
    #expect(waits.withLock { $0 } == 3)
  }

  @Test
  func `refused events and broken lines are told with their lines`() async throws {
    let refused = Mutex<[String]>([])
    let tally = try await report(
      lines(2) + "nonsense\n" + eventLine("bad"), to: ScriptedCollector(),
      observer: .init(refused: { lines in
        refused.withLock { $0 += lines.map(\.description) }
      }))
    #expect(tally == .init(lines: 4, accepted: 2, duplicates: 0, refused: 2))
    #expect(
      refused.withLock { $0 } == [
        "line 3: not valid JSON at byte 0: not a value (Malformed)",
        "line 4: id \"bad\": usageStart is past the lateness limit (TooOld)",
      ])
  }

  @Test
  func `a collector that stays away ends the report`() async throws {
    await #expect {
      try await report(
        lines(10), to: ScriptedCollector(losses: [0, 0, 0]), outageMax: .zero)
    } throws: { error in
      (error as? CommandFailure)?.exitCode == EX_UNAVAILABLE
    }
  }

  @Test
  func `an empty input is a report of nothing`() async throws {
    #expect(try await report("", to: ScriptedCollector()) == .init())
    #expect(try await report("\n\n", to: ScriptedCollector()) == .init())
  }
}
