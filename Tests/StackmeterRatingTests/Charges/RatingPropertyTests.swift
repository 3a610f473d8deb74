import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterRating

/// What must hold for any cards and any usage.
@Suite struct RatingPropertyTests {
  /// Two versions of a random card, the second from the 16th on, and random usage.
  private struct Case {
    let rater: Rater
    let rows: [UsageAggregate]

    init(inHalves: Bool = true, using random: inout SeededRandom) throws {
      var versions: [RateCard] = []
      for version in 1...Int.random(in: 1...2, using: &random) {
        let text = CardGenerator.text(using: &random)
        let lines = text.split(separator: "\n").dropFirst(4).joined(separator: "\n")
        versions.append(
          try smallCard(
            lines, version: version, effective: version == 1 ? "2026-11-01" : "2026-11-16"))
      }
      rater = Rater(try RateBook(versions))
      rows = try UsageGenerator.rows(inHalves: inHalves, using: &random)
    }

    /// What the slow rating says, of each subscription, meter and rate location.
    func expected(settles: Bool) -> [String: Int128] {
      var halves: [String: [Int: Int]] = [:]
      for row in rows {
        let version = rater.book.index(on: row.usageStart.hour.day)!
        guard let rate = rate(row, version) else { continue }
        halves[key(row, rate), default: [:]][version, default: 0] += Int(
          row.quantity.attos * 2 / Quantity.attosPerUnit)
      }
      return halves.reduce(into: [:]) { result, entry in
        let parts = entry.key.split(separator: "|", omittingEmptySubsequences: false).map(
          String.init)
        let versions = rater.book.versions.indices.compactMap { version in
          rated(parts[0], parts[1], parts[2], version).map { rate in
            let group = rater.book.versions[version].group(of: rater.subscription(parts[0]))
            return (rate, rate.discount(for: group), entry.value[version] ?? 0)
          }
        }
        // The least amount is that of the card that holds at the end, where it still has the rate.
        let holds =
          rated(parts[0], parts[1], parts[2], rater.book.versions.count - 1) != nil
        result[entry.key] = SlowRating.cost(versions, settles: settles && holds)
      }
    }

    private func key(_ row: UsageAggregate, _ rate: Rate) -> String {
      "\(row.series.subscription)|\(row.series.meter)|\(rate.location?.asciiLowercased ?? "")"
    }

    private func rate(_ row: UsageAggregate, _ version: Int) -> Rate? {
      let card = rater.book.versions[version]
      return card.meter(row.series.meter)?.rate(
        group: card.group(of: rater.subscription(row.series.subscription))?.name,
        location: row.series.resource.location)
    }

    private func rated(_ subscription: String, _ meter: String, _ location: String, _ version: Int)
      -> Rate?
    {
      let card = rater.book.versions[version]
      let rate = card.meter(meter)?.rate(
        group: card.group(of: rater.subscription(subscription))?.name, location: location)
      return (rate?.location?.asciiLowercased ?? "") == location ? rate : nil
    }
  }

  private func totals(_ charges: [Charge]) -> [String: Cost] {
    charges.filter { $0.kind != .unrated }.reduce(into: [:]) { totals, charge in
      let key =
        "\(charge.subscription)|\(charge.meter)|\(charge.rate?.location?.asciiLowercased ?? "")"
      totals[key] = (totals[key] ?? .zero).adding(charge.cost)!
    }
  }

  @Test func `charges are what a plain walk through the tiers finds`() throws {
    try withSeededRandom { random in
      for _ in 0..<150 {
        let test = try Case(using: &random)
        for settles in [false, true] {
          let charges = try rated(test.rows, test.rater, settled: settles ? november : nil).charges
          let expected = test.expected(settles: settles).mapValues { picos in
            Cost(attos: picos * 1_000_000, by: Quantity.attosPerUnit)
          }
          let totals = totals(charges)
          for (key, cost) in expected {
            try #require(
              totals[key] ?? .zero == cost,
              "\(key): \(test.rater.book.versions.map(\.description).joined())")
          }
          try #require(Set(totals.keys).isSubset(of: expected.keys))
        }
      }
    }
  }

  @Test func `a charge costs its price times its quantity, and all usage is charged`() throws {
    try withSeededRandom { random in
      for _ in 0..<100 {
        let test = try Case(inHalves: false, using: &random)
        let charges = try rated(test.rows, test.rater).charges
        for charge in charges where charge.kind != .minimum {
          try #require(charge.cost == charge.price.times(charge.pricedQuantity))
          try #require(charge.price <= charge.listPrice)
        }
        let used = test.rows.reduce(Quantity.zero) { $0.adding($1.quantity)! }
        try #require(charges.quantity == used)
        for kind in [Charge.Kind.retiered, .repriced, .minimum] {
          try #require(charges.filter { $0.kind == kind }.quantity == .zero)
        }
      }
    }
  }

  @Test func `usage in any order gives the same charges, as often as it is rated`() throws {
    try withSeededRandom { random in
      for _ in 0..<100 {
        let test = try Case(inHalves: false, using: &random)
        let once = try rated(test.rows, test.rater)
        let again = try rated(test.rows.shuffled(using: &random), test.rater)
        try #require(once.charges == again.charges)
        try #require(once.state == again.state)
        try #require(try bytes(test.rater, once.charges) == bytes(test.rater, again.charges))
      }
    }
  }

  @Test func `a period that is rated in parts costs what it costs as a whole`() throws {
    try withSeededRandom { random in
      for _ in 0..<100 {
        let test = try Case(inHalves: false, using: &random)
        let whole = try rated(test.rows, test.rater)
        // Any usage in any part: what belongs to an earlier version may come after what belongs to a later one.
        var parts: [[UsageAggregate]] = [[], [], [], []]
        for row in test.rows {
          parts[Int.random(in: 0..<4, using: &random)].append(row)
        }
        var state = RatingState()
        var charges: [Charge] = []
        for (index, part) in parts.enumerated() {
          // Settled after the second: what comes then is late.
          let (more, carried) = try rated(
            part, test.rater, carried: state, settled: index >= 1 ? november : nil,
            closed: index >= 2 ? november : nil)
          try #require(more.allSatisfy { $0.isAdjustment == (index >= 2) })
          charges += more
          state = carried
        }
        try #require(charges.quantity == whole.charges.quantity)
        for (key, cost) in totals(whole.charges) {
          try #require(totals(charges)[key] ?? .zero == cost, "\(key)")
        }
        for (key, cost) in totals(charges) where totals(whole.charges)[key] == nil {
          try #require(cost.isZero, "\(key)")
        }
        try #require(state == whole.state)
      }
    }
  }

  /// All charges and statements, as clients see them.
  private func bytes(_ rater: Rater, _ charges: [Charge]) throws -> [UInt8] {
    var writer = JSONWriter()
    writer.array { writer in for charge in charges { writer.charge(charge) } }
    for subscription in Set(charges.map(\.subscription)).sorted() {
      writer.statement(try draft(rater, charges, subscription: subscription).statement)
    }
    return writer.bytes
  }
}
