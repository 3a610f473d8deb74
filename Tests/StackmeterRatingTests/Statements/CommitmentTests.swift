import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterRating

@Suite struct CommitmentTests {
  private let rater: Rater

  init() throws {
    rater = Rater(
      try RateBook([
        smallCard(
          """
          group g
            subscription s
            commitment 100.00 discount 15%
          meter m
            rate
              price 1
          """)
      ]))
  }

  private func amounts(_ quantity: String, settles: Bool = true) throws -> [String] {
    let charges = try rated([usage(quantity)], rater).charges
    return try draft(rater, charges, settles: settles).statement.lines.map {
      "\($0.kind.rawValue) \($0.amount.amountText)"
    }
  }

  @Test func `usage that is committed costs less, used or not`() throws {
    #expect(
      try amounts("60") == ["usage 60.00", "commitment-discount -9.00", "commitment-unused 34.00"])
    #expect(try amounts("100") == ["usage 100.00", "commitment-discount -15.00"])
    #expect(try amounts("250") == ["usage 250.00", "commitment-discount -15.00"])
    #expect(try amounts("-5") == ["usage -5.00", "commitment-unused 85.00"])
    #expect(try amounts("60", settles: false) == ["usage 60.00", "commitment-discount -9.00"])
    let nothing = try draft(rater, []).statement
    #expect(nothing.lines.map(\.amount.amountText) == ["85.00"])
    #expect(try draft(rater, [], subscription: "t").statement.lines.isEmpty)
  }

  @Test func `late usage is charged what it changes`() throws {
    let first = try rated([usage("60")], rater)
    let (statement, commitments) = try draft(rater, first.charges)
    #expect(statement.total?.amountText == "85.00")
    let late = try rated(
      [usage("50")], rater, carried: first.state, settled: november, closed: november)
    let next = try draft(
      rater, late.charges, period: december, commitments: commitments)
    #expect(
      next.statement.lines.map { "\($0.period) \($0.kind.rawValue) \($0.amount.amountText)" } == [
        "2026-12 commitment-unused 85.00", "2026-11 usage 50.00",
        "2026-11 commitment-discount -6.00", "2026-11 commitment-unused -34.00",
      ])
    // 110 at 1, less 15 of 100: as if it had been known.
    #expect(next.commitments[november]?.discount.amountText == "-15.00")
    #expect(next.commitments[november]?.cost.description == "110")
  }

  @Test func `a commitment that comes later does not touch what was closed before`() throws {
    let before = Rater(
      try RateBook([smallCard("meter m\nrate\nprice 1\n", effective: "2026-10-01")]))
    let first = try rated([usage("60")], before)
    let closed = try draft(before, first.charges)
    #expect(closed.commitments.isEmpty)
    let member = Rater(
      try RateBook([
        before.book.versions[0],
        smallCard(
          "group g\nsubscription s\ncommitment 100 discount 15%\nmeter m\nrate\nprice 1\n",
          version: 2, effective: "2026-11-30"),
      ]))
    let late = try rated(
      [usage("5", "2026-11-11T00")], member, carried: first.state, closed: november)
    let next = try draft(member, late.charges, period: december, commitments: closed.commitments)
    #expect(
      next.statement.lines.map { "\($0.period) \($0.kind.rawValue) \($0.amount.amountText)" } == [
        "2026-12 commitment-unused 85.00", "2026-11 usage 5.00",
      ])
  }

  @Test func `in however many statements, a period comes to the same`() throws {
    try withSeededRandom { random in
      for _ in 0..<50 {
        let quantities = (0..<Int.random(in: 1...6, using: &random)).map { _ in
          Quantity(attos: Int128.random(in: -(1 << 63)...(1 << 66), using: &random))!
        }
        func row(_ quantity: Quantity, _ index: Int) throws -> UsageAggregate {
          try usage(quantity.description, uri: "/\(index)")
        }
        let all = try quantities.enumerated().map { try row($1, $0) }
        let whole = try draft(rater, try rated(all, rater).charges).statement
        var state = RatingState()
        var commitments: [BillingPeriod: CommitmentState] = [:]
        var period = november
        var total: [StatementLine.Kind: Int128] = [:]
        for (index, row) in all.enumerated() {
          let closed = index == 0 ? nil : november
          let part = try rated([row], rater, carried: state, settled: november, closed: closed)
          state = part.state
          let next = try draft(rater, part.charges, period: period, commitments: commitments)
          commitments = next.commitments
          for line in next.statement.lines
          where line.period == november && line.kind != .usage {
            total[line.kind, default: 0] += line.amount.minorUnits
          }
          period = period.next
        }
        for kind in [StatementLine.Kind.commitmentDiscount, .commitmentUnused] {
          let expected = whole.lines.filter { $0.kind == kind }.reduce(0) {
            $0 + $1.amount.minorUnits
          }
          try #require(total[kind] ?? 0 == expected, "\(quantities)")
        }
      }
    }
  }
}
