import StackmeterCore
import StackmeterRating
import StackmeterStore
import StackmeterTesting
import Testing

@testable import StackmeterBilling

/// A card text with one meter.
func cardText(
  _ version: Int, _ effective: String, name: String = "standard", currency: String = "EUR",
  price: String = "1", meter: String = "cpu"
) -> [UInt8] {
  Array(
    """
    card \(name)
    version \(version)
    effective \(effective)
    currency \(currency)
    meter \(meter)
      rate
        price \(price)

    """.utf8)
}

@Suite(.timeLimit(.minutes(1))) struct RateCardProposalTests {
  private static let catalog = try! MeterCatalog(
    ["cpu", "ram"].map {
      Meter(
        id: $0, name: $0, unit: "u", category: "c", resourceProvider: "r", aggregation: .sum,
        isBillable: true)
    })

  /// Adds what is right, and says what is wrong.
  private struct Cards {
    let store: any UsageStore
    let reader: any UsageReader

    func propose(_ text: [UInt8]) throws -> RateCardProposal {
      try RateCardProposal(text, catalog: RateCardProposalTests.catalog, reader)
    }

    func add(_ text: [UInt8]) throws -> [String] {
      switch try propose(text).verdict {
      case .refused(let complaints):
        return complaints.map { "\($0.line):\($0.column): \($0.message)" }
      case .known: return ["known"]
      case .new(let stored, _):
        try store.put(rateCard: stored, text: text)
        return []
      }
    }
  }

  private func withCards(_ engine: Engine, _ body: (Cards) throws -> Void) async throws {
    try await withBillingDatabase(engine) { database in
      try body(Cards(store: try database.store(), reader: try database.reader()))
    }
  }

  @Test(arguments: Engine.allCases)
  func `a version is added once, and the same bytes again change nothing`(engine: Engine)
    async throws
  {
    try await withCards(engine) { cards in
      #expect(try RateCards("standard", cards.reader) == nil)
      #expect(try cards.add(cardText(1, "2026-11-01")) == [])
      #expect(try cards.add(cardText(1, "2026-11-01")) == ["known"])
      let proposal = try cards.propose(cardText(2, "2026-12-01", price: "2"))
      #expect(proposal.unpriced == ["ram"])
      #expect(proposal.changes.count == 1 && proposal.changes[0].contains("cpu"))
      #expect(try cards.add(cardText(2, "2026-12-01", price: "2")) == [])
      let read = try #require(try RateCards("standard", cards.reader))
      #expect(read.book.versions.map(\.version) == [1, 2])
      let again = try #require(try RateCards("standard", cards.reader, known: read))
      #expect(again.versions == read.versions)
      // A card of another name begins anew.
      #expect(try cards.add(cardText(1, "2026-10-01", name: "other", currency: "USD")) == [])
    }
  }

  @Test(arguments: Engine.allCases)
  func `a past version is never altered, and everything that is wrong is said at once`(
    engine: Engine
  ) async throws {
    try await withCards(engine) { cards in
      _ = try cards.add(cardText(2, "2026-11-01"))
      let altered = try cards.add(cardText(2, "2026-11-01", price: "3"))
      #expect(altered.count == 1)
      #expect(altered[0].contains("version 2 of standard is in force with another text"))
      #expect(altered[0].contains("give this one the number 3"))
      let wrong = try cards.add(cardText(1, "2026-10-31", currency: "USD"))
      #expect(wrong.count == 3)
      #expect(wrong[0].contains("version 2 of standard is there already"))
      #expect(wrong[1].contains("takes effect on 2026-11-01, and this one must do so later"))
      #expect(wrong[2].contains("standard is in EUR, not in USD"))
      let unread = try cards.add(cardText(3, "2026-13-01", price: "1,5", meter: "gpu"))
      #expect(unread.map { $0.prefix { $0 != ":" } } == ["3", "5", "7"])
      #expect(try RateCards("standard", cards.reader)?.book.versions.count == 1)
    }
  }

  @Test(arguments: Engine.allCases)
  func `no version takes effect where statements are closed`(engine: Engine) async throws {
    try await withCards(engine) { cards in
      _ = try cards.add(cardText(1, "2026-10-01"))
      try cards.store.put(statements: [
        NewStatement(
          StoredStatement(
            year: 2026, sequence: 1, number: "2026-000001", subscription: "a",
            period: Day(parsing: "2026-10-01")!..<Day(parsing: "2026-11-01")!,
            windows: Hour(index: 0)..<Hour(index: 0), card: "standard", currency: "EUR",
            total: "0.00", hash: []), document: [], states: [])
      ])
      let wrong = try cards.add(cardText(2, "2026-10-31"))
      #expect(wrong.count == 1 && wrong[0].contains("statements are closed up to 2026-11-01"))
      #expect(try cards.add(cardText(2, "2026-11-01")) == [])
    }
  }
}
