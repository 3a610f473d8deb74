import StackmeterCore
import StackmeterTesting
import Testing

@Suite struct UsageSplitTests {
  let three = Instant(parsing: "2026-11-23T15:00:00Z")!

  private func split(_ start: Instant, _ end: Instant, _ quantity: String) throws -> [String] {
    let quantity = try Quantity(parsing: quantity)
    return UsageSplit(start: start, end: end, quantity: quantity).map { hour, part in
      "\(hour) \(part)"
    }
  }

  @Test func `an event inside of one hour is one part`() throws {
    #expect(
      try split(three, three.advanced(by: .seconds(60)), "1.5") == ["2026-11-23T15:00:00Z 1.5"])
  }

  @Test func `an event of exactly one hour does not touch the next`() throws {
    #expect(
      try split(three, three.advanced(by: .seconds(3600)), "1") == ["2026-11-23T15:00:00Z 1"])
  }

  @Test func `an event without duration belongs to the hour that it starts in`() throws {
    #expect(try split(three, three, "7") == ["2026-11-23T15:00:00Z 7"])
  }

  @Test func `one nanosecond past the hour makes a second part`() throws {
    #expect(
      try split(three, three.advanced(by: .seconds(3600) + .nanoseconds(1)), "1") == [
        "2026-11-23T15:00:00Z 0.999999999999722222", "2026-11-23T16:00:00Z 0.000000000000277778",
      ])
  }

  @Test func `the last part takes what is left`() throws {
    #expect(
      try split(three, three.advanced(by: .seconds(3 * 3600)), "1") == [
        "2026-11-23T15:00:00Z 0.333333333333333333", "2026-11-23T16:00:00Z 0.333333333333333333",
        "2026-11-23T17:00:00Z 0.333333333333333334",
      ])
    #expect(
      try split(three, three.advanced(by: .seconds(2 * 3600)), "-1e-18") == [
        "2026-11-23T15:00:00Z 0", "2026-11-23T16:00:00Z -0.000000000000000001",
      ])
  }

  @Test func `half an hour before midnight and one after fall on two days`() throws {
    let start = Instant(parsing: "2100-02-28T23:30:00Z")!
    #expect(
      try split(start, start.advanced(by: .seconds(5400)), "3") == [
        "2100-02-28T23:00:00Z 1", "2100-03-01T00:00:00Z 2",
      ])
  }

  @Test func `usage that ends before it starts stops the program`() async {
    await #expect(processExitsWith: .failure) {
      _ = UsageSplit(
        start: Instant(nanoseconds: 1), end: Instant(nanoseconds: 0), quantity: Quantity(1))
    }
  }

  @Test func `the parts of any event sum to the whole and lie in the hours that it touches`() throws
  {
    try withSeededRandom { random in
      for _ in 0..<500 {
        let start = Int64.random(in: 0...9_000_000_000_000_000_000, using: &random)
        let span = Int64.random(in: 0...(200 * Instant.nanosecondsPerHour), using: &random)
        // Half of the events end or start on an hour.
        let from =
          Bool.random(using: &random) ? start : start - start % Instant.nanosecondsPerHour
        let until =
          Bool.random(using: &random)
          ? from + span : max(from, from + span - (from + span) % Instant.nanosecondsPerHour)
        let quantity = Quantity.random(using: &random)
        let parts = Array(
          UsageSplit(
            start: Instant(nanoseconds: from), end: Instant(nanoseconds: until), quantity: quantity)
        )
        try #require(parts.map(\.hour) == reference(from, until))
        var sum = Quantity.zero
        for part in parts { sum = try #require(sum.adding(part.quantity)) }
        try #require(sum == quantity)
        for part in parts.dropLast() {
          let first = max(part.hour.start.nanoseconds, from)
          let expected = quantity.part(
            UInt64(part.hour.end.nanoseconds - first), of: UInt64(until - from))
          try #require(part.quantity == expected)
        }
        try #require(
          parts.allSatisfy { $0.quantity == .zero || ($0.quantity < .zero) == (quantity < .zero) })
      }
    }
  }

  /// The hours from the first instant's to that of the last instant inside of the event.
  private func reference(_ start: Int64, _ end: Int64) -> [Hour] {
    let first = start / Instant.nanosecondsPerHour
    let last = max(first, (end - 1) / Instant.nanosecondsPerHour)
    return (first...last).map(Hour.init(index:))
  }
}
