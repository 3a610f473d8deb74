import AggregatorClient
import Glibc
import QueryClient
import StackmeterCore
import StackmeterRuntime
import StackmeterTesting
import StackmeterWire
import Testing

/// Budgets by the real processes: from the file, through closed windows and kills, to the command line.
@Suite(.serialized, .timeLimit(.minutes(3))) struct BudgetTests {
  private static let file = "budget own\n  subscription a\n  amount 50.00 EUR\n  alert 80% actual\n"

  /// Usage of 100 in October, and the file of budgets.
  private static func prepare(_ cluster: Cluster, budgets path: String) throws {
    try StateLock.makeDirectory(cluster.settings.stateDirectory)
    let window = Instant(parsing: "2026-10-20T10:00:00Z")!.hour
    try ClosedUsage(path: cluster.settings.usageDatabase).write(
      [
        ClosedUsage.Row(
          window: window,
          series: Series(subscription: "a", meter: Reports.meter, resource: Resource(uri: "/r")),
          usageHour: window, quantity: Quantity(100))
      ], open: Instant(parsing: "2026-10-21T00:00:00Z")!.hour)
    try Array(file.utf8).write(to: path)
  }

  private static func apply(_ cluster: Cluster) async throws {
    let card = """
      card standard
      version 1
      effective 2026-10-01
      currency EUR
      meter \(Reports.meter)
        rate
          price 0.45
      """
    let applied = try await cluster.call("aggregator") { channel in
      try await BillingClient(channel).applyRateCard(ApplyRateCardRequest(text: Array(card.utf8)))
    }
    #expect(applied.isApplied)
  }

  private static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

  /// Starts the receiver, as a process that can be killed.
  private static func receiver(_ directory: String, port: UInt16) throws -> ChildProcess {
    let python = try #require(processEnvironment()["STACKMETER_TEST_PYTHON"])
    return try ChildProcess(
      python,
      [
        "\(Cluster.root)/Tests/SystemTests/Python/webhook_receiver.py", "\(port)", secret,
        "\(directory)/mode", "\(directory)/requests",
      ], environment: ["PATH": "/usr/bin"], standardOutput: .null, standardError: .null)
  }

  @Test func `an alert reaches a receiver that fails, hangs and is killed, and once in effect`()
    async throws
  {
    try await withTemporaryDirectory { directory in
      let port = try #require(FreePort.find())
      let cluster = try Cluster(
        directory: directory,
        overrides: [
          "STACKMETER_BUDGETS_FILE": "\(directory)/budgets.txt",
          "STACKMETER_BUDGETS_WEBHOOK": "http://127.0.0.1:\(port)/alerts",
          "STACKMETER_BUDGETS_WEBHOOK_SECRET": "\(directory)/secret",
        ])
      try Array("\(Self.secret)\n".utf8).write(to: "\(directory)/secret")
      func mode(_ mode: String) throws { try Array(mode.utf8).write(to: "\(directory)/mode") }
      func requests() -> [String] {
        let text = (try? fileContent("\(directory)/requests")) ?? []
        return String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init)
      }
      func reached(_ mode: String) async throws {
        _ = try await eventually { requests().contains { $0.contains(" \(mode) ") } ? true : nil }
      }
      try Self.prepare(cluster, budgets: "\(directory)/budgets.txt")
      try mode("500")
      var receiver = try Self.receiver(directory, port: UInt16(port))
      for service in ["aggregator", "query"] { try cluster.start(service) }
      try await cluster.serving("aggregator", "query")
      try await Self.apply(cluster)
      try await reached("500")
      try mode("hang")
      try await reached("hang")
      receiver.signal(SIGKILL)
      _ = try await receiver.waitForExit()
      // Whoever tells is killed, too.
      try await cluster.kill("aggregator")
      try cluster.start("aggregator")
      _ = try await eventually {
        try await cluster.command("budgets").output.contains("cannot be reached") ? true : nil
      }
      try mode("204")
      receiver = try Self.receiver(directory, port: UInt16(port))
      _ = try await eventually {
        try await cluster.command("budgets").output.contains("1 of 1 delivered") ? true : nil
      }
      let all = requests()
      #expect(all.allSatisfy { $0.contains(" right ") }, "\(all)")
      #expect(
        Set(all.map { $0.split(separator: " ").last }) == ["own/2026-10/actual-80"], "\(all)")
      #expect(all.filter { $0.contains(" 204 ") }.count == 1, "\(all)")
      receiver.signal(SIGKILL)
      _ = try await receiver.waitForExit()
      for service in ["query", "aggregator"] { try await cluster.kill(service) }
    }
  }

  @Test
  func `a threshold is told of once, whatever is killed, and a file that is wrong changes nothing`()
    async throws
  {
    try await withTemporaryDirectory { directory in
      let path = "\(directory)/budgets.txt"
      let cluster = try Cluster(
        directory: directory, overrides: ["STACKMETER_BUDGETS_FILE": path])
      try Self.prepare(cluster, budgets: path)
      for service in ["aggregator", "query"] { try cluster.start(service) }
      try await cluster.serving("aggregator", "query")
      try await Self.apply(cluster)
      func shown() async throws -> String {
        try await cluster.command("budgets", "--period", "2026-10").output
      }
      // Until there was a card, nothing could be said; it is looked at again all the time.
      let table = try await eventually {
        let output = try await shown()
        return output.contains("80% actual") ? output : nil
      }
      #expect(table.contains("50.00") && table.contains("0 of 1 delivered"), "\(table)")
      func alerts() async throws -> [BudgetEntry.Alert] {
        try await cluster.call("query") { channel in
          try await QueryClient(channel).listBudgets(ListBudgetsRequest(caller: .operator))
        }.budgets.flatMap(\.alerts)
      }
      let raised = try await alerts()
      #expect(raised.map(\.id) == ["own/2026-10/actual-80"])
      for _ in 1...2 {
        try await cluster.kill("aggregator")
        try cluster.start("aggregator")
        try await cluster.serving("aggregator")
      }
      // A file with a mistake is told, and what was known stays.
      try Array(Self.file.replacing("80%", with: "80").utf8).write(to: path)
      _ = try await eventually {
        let status = try await cluster.call("aggregator") {
          try await AggregatorClient($0).status()
        }
        return status.warnings.contains { $0.contains("\(path):4:9: ") } ? true : nil
      }
      #expect(try await alerts() == raised)
      try Array((Self.file + "  alert 90% actual\n").utf8).write(to: path)
      let both = try await eventually {
        let found = try await alerts()
        return found.count == 2 ? found : nil
      }
      #expect(both.map(\.id) == ["own/2026-10/actual-80", "own/2026-10/actual-90"])
      #expect(both[0] == raised[0])
      for service in ["query", "aggregator"] { try await cluster.kill(service) }
    }
  }
}
