import AggregatorClient
import GRPCCore
import QueryClient
import StackmeterCore
import StackmeterRuntime
import StackmeterTesting
import StackmeterWire
import Testing

/// The aggregator is killed again and again while it closes statements.
@Suite(.serialized, .timeLimit(.minutes(5))) struct StatementKillTests {
  private static let subscriptions = 1_500
  private static let period = "2026-10"

  private static let card = """
    card standard
    version 1
    effective 2026-10-01
    currency EUR
    meter \(Reports.meter)
      rate
        price 0.5
    """

  /// Each has used as much as its number says.
  private static func usage() -> [ClosedUsage.Row] {
    let window = Instant(parsing: "2026-10-20T10:00:00Z")!.hour
    return (1...subscriptions).map { number in
      ClosedUsage.Row(
        window: window,
        series: Series(
          subscription: "s\(number)", meter: Reports.meter, resource: Resource(uri: "/r")),
        usageHour: window, quantity: Quantity(Int32(number)))
    }
  }

  private static func closed(_ cluster: Cluster) async throws -> [StatementEntry] {
    try await cluster.call("query") { channel in
      var statements: [StatementEntry] = []
      var request = ListStatementsRequest(caller: .operator, period: period)
      repeat {
        let page = try await QueryClient(channel).listStatements(request)
        statements += page.statements
        request.after = page.nextAfter
      } while !request.after.isEmpty
      return statements
    }
  }

  /// Closes all, as the command line does: call by call. False where the aggregator has ended meanwhile.
  private static func close(_ cluster: Cluster) async throws -> Bool {
    var request = CloseStatementsRequest(period: period)
    repeat {
      let asked = request
      do {
        let response = try await cluster.call("aggregator") { channel in
          try await BillingClient(channel).closeStatements(asked)
        }
        #expect(response.refused == [])
        request.after = response.nextAfter
      } catch let error as RPCError {
        guard [.unavailable, .cancelled, .unknown, .internalError].contains(error.code) else {
          throw error
        }
        return false
      }
    } while !request.after.isEmpty
    return true
  }

  @Test
  func `statements are whole and numbered without gaps, whatever is killed while they are closed`()
    async throws
  {
    try await withCluster { cluster in
      try StateLock.makeDirectory(cluster.settings.stateDirectory)
      try ClosedUsage(path: cluster.settings.usageDatabase).write(
        Self.usage(), open: Instant(parsing: "2026-11-01T00:00:00Z")!.hour)
      for service in ["aggregator", "query"] { try cluster.start(service) }
      try await cluster.serving("aggregator", "query")
      let applied = try await cluster.call("aggregator") { channel in
        try await BillingClient(channel).applyRateCard(
          ApplyRateCardRequest(text: Array(Self.card.utf8)))
      }
      #expect(applied.problems == [] && applied.isApplied)
      // Where it is killed is left to chance and to the host's speed: no seed repeats it.
      var random = SystemRandomNumberGenerator()
      var kills = 0
      var isDone = false
      while !isDone {
        // Somewhere ahead of what is closed now, in the middle of a call or between two.
        let before = try await Self.closed(cluster).count
        let limit = before + Int.random(in: 0..<250, using: &random)
        async let closing = Self.close(cluster)
        while try await Self.closed(cluster).count <= limit, limit < Self.subscriptions - 50 {
          try await Task.sleep(for: .milliseconds(1))
        }
        if limit < Self.subscriptions - 50 {
          try await cluster.kill("aggregator")
          kills += 1
        }
        isDone = try await closing
        if !cluster.isRunning("aggregator") {
          isDone = false
          try cluster.start("aggregator")
          try await cluster.serving("aggregator")
        }
      }
      print("== statements closed: \(Self.subscriptions), aggregator killed meanwhile: \(kills)")
      #expect(kills >= 3)
      let statements = try await Self.closed(cluster)
      #expect(
        statements.map(\.number)
          == (1...Self.subscriptions).map { "2026-" + "\(1_000_000 + $0)".dropFirst() })
      #expect(Set(statements.map(\.subscription)).count == Self.subscriptions)
      // Each is whole: the document has the number, the total and the hash that the list says.
      for statement in statements {
        let found = try await cluster.call("query") { channel in
          try await QueryClient(channel).statement(
            GetStatementRequest(caller: .operator, number: statement.number))
        }
        let cents = Int(statement.subscription.dropFirst())! * 50
        #expect(statement.total == "\(cents / 100).\(cents % 100 == 0 ? "00" : "50")")
        let document = String(decoding: found.document, as: UTF8.self)
        #expect(document.contains(#""number":"\#(statement.number)","status":"closed""#))
        #expect(document.hasSuffix(#""total":"\#(statement.total)"}"#), "\(document)")
      }
      #expect(try await Self.close(cluster))
      #expect(try await Self.closed(cluster) == statements)
    }
  }
}
