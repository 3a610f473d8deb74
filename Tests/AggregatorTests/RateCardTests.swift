import AggregatorClient
import GRPCCore
import Logging
import StackmeterCore
import StackmeterRPC
import StackmeterStore
import StackmeterTesting
import StackmeterWire
import Testing

@testable import AggregatorServer

/// The call `ApplyRateCard`, upon both databases.
@Suite(.timeLimit(.minutes(2))) struct RateCardTests {
  private static let card = """
    card standard
    version 1
    effective 2026-11-01
    currency EUR
    meter cpu
      rate
        price 0.5

    """

  private func withBilling(
    _ engine: Engine, _ body: (BillingClient, UsageDatabase) async throws -> Void
  ) async throws {
    let directory = try TemporaryDirectory()
    let database: UsageDatabase =
      switch engine {
      case .sqlite: .sqlite(path: "\(directory.path)/usage.sqlite", cell: "local")
      case .postgresql: .postgresql(try await TestPostgreSQL.database(), cell: "local")
      }
    let catalog = try MeterCatalog(
      ["cpu", "ram"].map {
        Meter(
          id: $0, name: $0, unit: "s", category: "Compute", resourceProvider: "test",
          aggregation: .sum, isBillable: true)
      })
    let aggregator = try Aggregator(
      store: try database.store(), catalog: catalog,
      configuration: AggregatorConfiguration(
        billing: BillingConfiguration(
          card: "standard", open: { () throws(StoreError) in try database.reader() })),
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    try await withInProcessChannel(endpoints: [BillingEndpoint(aggregator)]) { channel in
      try await body(BillingClient(channel), database)
    }
  }

  @Test(arguments: Engine.allCases)
  func `a version is added once, and applying it again changes nothing`(engine: Engine)
    async throws
  {
    try await withBilling(engine) { billing, database in
      let text = Array(Self.card.utf8)
      let tried = try await billing.applyRateCard(ApplyRateCardRequest(text: text, isDryRun: true))
      #expect(!tried.isApplied && !tried.isKnown && tried.version?.reference == "standard 1")
      #expect(try database.reader().rateCards(named: nil) == [])

      let added = try await billing.applyRateCard(ApplyRateCardRequest(text: text))
      #expect(added.isApplied && !added.isKnown && added.problems == [])
      #expect(added.unpricedMeters == ["ram"] && added.inForce == "standard")
      let again = try await billing.applyRateCard(ApplyRateCardRequest(text: text))
      #expect(!again.isApplied && again.isKnown && again.version == added.version)
      #expect(try database.reader().rateCardText("standard", 1) == text)

      let next = Self.card.replacing("version 1", with: "version 2")
        .replacing("2026-11", with: "2026-12").replacing("0.5", with: "0.75")
      let second = try await billing.applyRateCard(ApplyRateCardRequest(text: Array(next.utf8)))
      #expect(second.isApplied)
      #expect(second.changes == ["meter cpu: was 0.5, becomes 0.75 (+50 %)"], "\(second.changes)")
      #expect(try database.reader().rateCards(named: "standard").map(\.version) == [1, 2])
    }
  }

  @Test(arguments: Engine.allCases)
  func `what is wrong is an answer with its lines, and nothing is changed`(engine: Engine)
    async throws
  {
    try await withBilling(engine) { billing, database in
      _ = try await billing.applyRateCard(ApplyRateCardRequest(text: Array(Self.card.utf8)))
      let altered = Self.card.replacing("0.5", with: "0.6")
      let refused = try await billing.applyRateCard(
        ApplyRateCardRequest(text: Array(altered.utf8)))
      #expect(!refused.isApplied && refused.version == nil)
      #expect(refused.problems.map(\.line) == [0])
      #expect(refused.problems[0].message.contains("a version is never altered"))
      let unread = try await billing.applyRateCard(
        ApplyRateCardRequest(
          text: Array(altered.replacing("cpu", with: "gpu").replacing("EUR", with: "E").utf8)))
      #expect(unread.problems.map(\.line) == [4, 5])
      #expect(try database.reader().rateCards(named: nil).count == 1)
    }
  }

  @Test func `a text that is too large for a message is refused in words`() async throws {
    try await withBilling(.sqlite) { billing, _ in
      let most = [UInt8](repeating: 0x23, count: ApplyRateCardRequest.textBytesMax)
      let comment = try await billing.applyRateCard(ApplyRateCardRequest(text: most))
      #expect(!comment.problems.isEmpty)
      let error = await #expect(throws: RPCError.self) {
        _ = try await billing.applyRateCard(ApplyRateCardRequest(text: most + [0x23]))
      }
      #expect(error?.code == .invalidArgument)
      #expect(error?.message.contains("at most 4190208 bytes") == true)
    }
  }
}
