import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterRating

@Suite struct ChargeTests {
  private static let tiers = "graduated\nup-to 100 1\nup-to 200 0.5\nbeyond 0.25\n"

  @Test func `usage that crosses the end of a tier is two charges`() throws {
    #expect(
      try lines(Self.tiers, [usage("90", "2026-11-01T00"), usage("20", "2026-11-01T01")]) == [
        "usage 90 at 1 = 90", "usage 10 at 1 = 10", "usage 10 at 0.5 = 5",
      ])
    #expect(
      try lines(Self.tiers, [usage("250")]) == [
        "usage 100 at 1 = 100", "usage 100 at 0.5 = 50", "usage 50 at 0.25 = 12.5",
      ])
  }

  /// The least quantity on either side of a boundary.
  @Test func `the end of a tier belongs to it, to the last digit`() throws {
    let atto = "0.000000000000000001"
    #expect(try lines(Self.tiers, [usage("100")]) == ["usage 100 at 1 = 100"])
    #expect(
      try lines(Self.tiers, [usage("99.999999999999999999")]) == [
        "usage 99.999999999999999999 at 1 = 99.999999999999999999"
      ])
    #expect(
      try lines(Self.tiers, [usage("100.000000000000000001")]) == [
        "usage 100 at 1 = 100", "usage \(atto) at 0.5 = 0.0000000000000000005",
      ])
    #expect(
      try lines(Self.tiers, [usage("100", "2026-11-01T00"), usage("10", "2026-11-01T01")]) == [
        "usage 100 at 1 = 100", "usage 10 at 0.5 = 5",
      ])
    let volume = "volume\nup-to 100 1\nbeyond 0.5\n"
    #expect(try lines(volume, [usage("100")]) == ["usage 100 at 1 = 100"])
    #expect(
      try lines(volume, [usage("100.000000000000000001")]) == [
        "usage 100.000000000000000001 at 0.5 = 50.0000000000000000005"
      ])
    let started = "price 3 per started 10\n"
    #expect(try lines(started, [usage("10")]) == ["usage 10 as 1 at 3 = 3"])
    #expect(
      try lines(started, [usage("10.000000000000000001")]) == [
        "usage 10.000000000000000001 as 2 at 3 = 6"
      ])
  }

  @Test func `what is included is free, and the tiers count it too or do not`() throws {
    #expect(
      try lines(Self.tiers + "included 50", [usage("160")]) == [
        "usage 50 at 0 = 0", "usage 50 at 1 = 50", "usage 60 at 0.5 = 30",
      ])
    #expect(
      try lines(Self.tiers + "included 50 before-tiers", [usage("160")]) == [
        "usage 50 at 0 = 0", "usage 100 at 1 = 100", "usage 10 at 0.5 = 5",
      ])
    #expect(
      try lines(Self.tiers + "included 150", [usage("160")]) == [
        "usage 150 at 0 = 0", "usage 10 at 0.5 = 5",
      ])
    let volume = "volume\nup-to 100 1\nbeyond 0.5\n"
    #expect(
      try lines(volume + "included 50", [usage("101")]) == [
        "usage 50 at 0 = 0", "usage 51 at 0.5 = 25.5",
      ])
    #expect(
      try lines(volume + "included 50 before-tiers", [usage("150")]) == [
        "usage 50 at 0 = 0", "usage 100 at 1 = 100",
      ])
  }

  @Test func `a package that is begun is one of the period and not of each row`() throws {
    #expect(
      try lines(
        "price 3 per started 10\n",
        [usage("4", "2026-11-01T00"), usage("4", "2026-11-01T01"), usage("4", "2026-11-01T02")])
        == [
          "usage 4 as 1 at 3 = 3", "usage 4 as 0 at 3 = 0", "usage 4 as 1 at 3 = 3",
        ])
  }

  @Test func `a price for many is exact for one`() throws {
    #expect(
      try lines("price 0.0036 per 10000\n", [usage("1")]) == [
        "usage 1 at 0.00000036 = 0.00000036"
      ])
  }

  @Test func `a volume price of a whole period is one price`() throws {
    let rows = [try usage("60", "2026-11-01T00"), try usage("60", "2026-11-02T00")]
    #expect(
      try lines("volume\nup-to 100 1\nbeyond 0.5\n", rows) == [
        "usage 60 at 0.5 = 30", "usage 60 at 0.5 = 30",
      ])
  }

  @Test func `a volume price of half a period is provisional and is settled later`() throws {
    let rater = Rater(
      try RateBook([smallCard("meter m\nrate\nvolume\nup-to 100 1\nbeyond 0.5\n")]))
    let first = try rated([usage("60", "2026-11-01T00")], rater, settled: nil)
    #expect(first.charges.map(\.line) == ["usage 60 at 1 = 60"])
    #expect(first.charges.allSatisfy { $0.isProvisional })
    let second = try rated([usage("60", "2026-11-02T00")], rater, carried: first.state)
    #expect(
      second.charges.map(\.line) == [
        "repriced -60 at 1 = -60", "repriced 60 at 0.5 = 30", "usage 60 at 0.5 = 30",
      ])
    #expect(second.charges.allSatisfy { !$0.isProvisional })
  }

  @Test func `a minimum is what is missing at the end, and only where there was usage`() throws {
    let card = "price 1\nminimum 10\n"
    #expect(try lines(card, [usage("4")]) == ["usage 4 at 1 = 4", "minimum 0 at 0 = 6"])
    #expect(try lines(card, [usage("10")]) == ["usage 10 at 1 = 10"])
    #expect(
      try lines(card, [usage("4"), usage("-4", uri: "/other")]) == [
        "usage -4 at 1 = -4", "usage 4 at 1 = 4",
      ])
    let rater = Rater(try RateBook([smallCard("meter m\nrate\n" + card)]))
    let open = try rated([usage("4")], rater, settled: nil)
    #expect(open.charges.map(\.line) == ["usage 4 at 1 = 4"])
    let settled = try rated([], rater, carried: open.state)
    #expect(settled.charges.map(\.line) == ["minimum 0 at 0 = 6"])
    // Late usage was paid for already, as far as the minimum reaches.
    let late = try rated([usage("7")], rater, carried: settled.state, closed: november)
    #expect(late.charges.map(\.line) == ["usage 7 at 1 = 7", "minimum 0 at 0 = -6"])
    let gone = try rated([usage("-11")], rater, carried: late.state, closed: november)
    #expect(gone.charges.map(\.line) == ["usage -11 at 1 = -11"])
    #expect(gone.state == RatingState())
  }

  @Test func `a price that changes within a period holds from its day on`() throws {
    let rater = Rater(
      try RateBook([
        smallCard("meter m\nrate\n" + Self.tiers),
        smallCard(
          "meter m\nrate\ngraduated\nup-to 100 10\nbeyond 5\n", version: 2,
          effective: "2026-11-16"),
      ]))
    let rows = [
      try usage("60", "2026-11-15T23"), try usage("30", "2026-11-16T00"),
      try usage("30", "2026-11-16T01"),
    ]
    let whole = try rated(rows, rater)
    // The tiers go on counting where the card changes.
    #expect(
      whole.charges.map(\.line) == [
        "usage 60 at 1 = 60", "usage 30 at 10 = 300", "usage 10 at 10 = 100", "usage 20 at 5 = 100",
      ])
    #expect(whole.charges.map { $0.rate?.version } == [1, 2, 2, 2])
    // The first row late: what came after it moves up by 60.
    let early = try rated(Array(rows[1...]), rater)
    #expect(early.charges.cost.description == "600")
    let late = try rated([rows[0]], rater, carried: early.state, closed: november)
    #expect(
      late.charges.map(\.line) == [
        "usage 60 at 1 = 60", "retiered -20 at 10 = -200", "retiered 20 at 5 = 100",
      ])
    #expect(late.charges.allSatisfy { $0.isAdjustment && $0.day?.description == "2026-11-15" })
    #expect(late.state == whole.state)
  }

  @Test func `rates of a location count by themselves`() throws {
    let rater = Rater(
      try RateBook([
        smallCard("meter m\nrate\n\(Self.tiers)rate in West\n\(Self.tiers)")
      ]))
    let charges = try rated(
      [
        usage("90", "2026-11-01T00", location: "east"),
        usage("90", "2026-11-01T01", location: "west"),
        usage("20", "2026-11-01T02", location: "north"),
        usage("20", "2026-11-01T03", location: "WEST"),
      ], rater
    ).charges
    #expect(
      charges.map(\.line) == [
        "usage 90 at 1 = 90", "usage 90 at 1 = 90", "usage 10 at 1 = 10", "usage 10 at 0.5 = 5",
        "usage 10 at 1 = 10", "usage 10 at 0.5 = 5",
      ])
    #expect(charges.map { $0.rate?.location } == [nil, "West", nil, nil, "West", "West"])
  }

  @Test func `a meter may be used in any number of locations`() throws {
    let rater = Rater(
      try RateBook([smallCard("meter m\nrate\n\(Self.tiers)rate in l7\nprice 3\n")]))
    let rows = try (0..<100).flatMap { hour in
      try (0..<40).map {
        try usage(
          "1", "2026-11-0\(1 + hour / 20)T\(10 + hour % 10)", location: "l\($0)", uri: "/\(hour)")
      }
    }
    let charges = try rated(rows, rater).charges
    // 3900 at the general rate, 100 in the location with a price of its own.
    #expect(charges.cost.description == "1375")
    #expect(charges.filter { $0.rate?.location == "l7" }.cost.description == "300")
  }

  @Test func `usage that no rate prices is shown without a price`() throws {
    let rater = Rater(
      try RateBook([
        smallCard("meter m\nrate in west\nprice 1\n", effective: "2026-11-16")
      ]))
    let charges = try rated(
      [
        usage("1", "2026-11-20T00", meter: "other"),
        usage("2", "2026-11-15T23", location: "west"),
        usage("3", "2026-11-16T00", location: "west"),
        usage("4", "2026-11-16T00", location: "east"),
      ], rater
    ).charges
    #expect(
      charges.map(\.line) == [
        "unrated 2 as 0 at 0 = 0", "unrated 4 as 0 at 0 = 0", "usage 3 at 1 = 3",
        "unrated 1 as 0 at 0 = 0",
      ])
    #expect(charges.filter { $0.kind == .unrated }.quantity == Quantity(7))
  }

  @Test func `zero is a charge of nothing, and less than nothing is on the first step`() throws {
    #expect(try lines(Self.tiers, [usage("0")]) == ["usage 0 at 1 = 0"])
    #expect(try lines(Self.tiers, [usage("-5")]) == ["usage -5 at 1 = -5"])
    #expect(
      try lines(Self.tiers + "included 10", [usage("-5")]) == ["usage -5 at 0 = 0"])
    #expect(
      try lines(Self.tiers, [usage("110", "2026-11-01T00"), usage("-20", "2026-11-01T01")])
        .suffix(2) == ["usage -10 at 1 = -10", "usage -10 at 0.5 = -5"])
  }

  @Test func `the same meter in another case is the same meter`() throws {
    let rater = Rater(try RateBook([smallCard("meter M\nrate\n" + Self.tiers)]))
    let charges = try rated(
      [usage("90", "2026-11-01T00", meter: "m"), usage("20", "2026-11-01T01", meter: "M")], rater
    ).charges
    #expect(charges.cost.description == "105")
  }

  @Test func `prices of a group and its discount hold for its members`() throws {
    let card = try smallCard(
      """
      group a
        cost-center 1
        discount 25%
      group b
        subscription s
        owner x
      meter m
        rate
          price 4
        rate for b
          price 3
      """)
    let directory = try SubscriptionDirectory(
      json: Array(
        """
        {"subscriptions":[{"id":"s","costCenter":"1"},{"id":"t","costCenter":"1"},{"id":"u","owner":"x"}]}
        """.utf8))
    let rater = Rater(try RateBook([card]), directory)
    let charges = try rated(
      ["s", "t", "u", "v"].map { try usage("1", subscription: $0) }, rater
    ).charges
    #expect(charges.map(\.price.description) == ["3", "3", "3", "4"])
    #expect(charges.map(\.listPrice.description) == ["4", "4", "3", "4"])
    #expect(charges.map { $0.rate?.group } == [nil, nil, "b", nil])
  }

  @Test func `a period keeps the group that it was first rated for`() throws {
    let book = try RateBook([
      smallCard(
        """
        group a
          cost-center 1
        meter m
          rate
            price 4
            minimum 20
          rate for a
            price 3
        """)
    ])
    let member = Rater(
      book,
      try SubscriptionDirectory(
        json: Array(#"{"subscriptions":[{"id":"s","costCenter":"1"}]}"#.utf8)))
    let stranger = Rater(book)
    let first = try rated([usage("1")], member)
    let late = try rated(
      [usage("1", uri: "/late"), usage("1", "2026-12-01T00")], stranger, carried: first.state,
      settled: november, closed: november)
    #expect(late.charges.map(\.line) == ["usage 1 at 3 = 3", "usage 1 at 4 = 4"])
    let back = try rated([usage("1")], stranger)
    let again = try rated([usage("1")], member, carried: back.state, closed: november)
    #expect(again.charges.map(\.line) == ["usage 1 at 4 = 4", "minimum 0 at 0 = -4"])
  }

  @Test func `what does not fit is an error of its subscription and meter`() throws {
    let rater = Rater(try RateBook([smallCard("meter m\nrate\nprice 1\n")]))
    let most = "9223372036854775807"
    #expect(throws: RatingError.tooLarge(subscription: "s", meter: "m")) {
      try rated([usage(most), usage(most, uri: "/other")], rater)
    }
    let state = try rated([usage(most)], rater).state
    #expect(throws: RatingError.tooLarge(subscription: "s", meter: "m")) {
      try rated([usage("1")], rater, carried: state)
    }
    let other = Rater(try RateBook([smallCard("meter m\nrate\nprice 1\n", version: 2)]))
    #expect(throws: RatingError.unknownVersion(1, subscription: "s", meter: "m")) {
      try rated([usage("1")], other, carried: state)
    }
  }
}
