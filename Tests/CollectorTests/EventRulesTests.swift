import StackmeterCore
import StackmeterTesting
import Testing

@testable import CollectorServer

@Suite struct EventRulesTests {
  /// What is said about one event alone.
  private func refusal(_ batch: EventBatch, at clock: Instant = Fixture.now) throws -> EventResult {
    var intake = try Fixture.intake(SimulatedDisk())
    let results = Array(try intake.take(batch, clock: clock))
    try intake.commit()
    return try #require(results.first)
  }

  private func changed(_ change: (inout EventBatch) -> Void) -> EventBatch {
    var batch = Fixture.batch([Fixture.event()])
    change(&batch)
    return batch
  }

  private func malformed(_ field: String, _ message: String) -> EventResult {
    .invalid(Refusal(.malformed, field: field, message))
  }

  @Test func `the source is a name`() throws {
    #expect(
      try refusal(changed { $0.source = "" })
        == malformed("source", "has 0 bytes; 1 to 256 are taken"))
    #expect(
      try refusal(changed { $0.source = String(repeating: "a", count: 257) })
        == malformed("source", "has 257 bytes; 1 to 256 are taken"))
    for name in ["a b", "é", "a\u{0}", "a\n"] {
      #expect(
        try refusal(changed { $0.source = name })
          == malformed("source", "may hold visible ASCII characters only, without spaces"))
    }
  }

  @Test func `subscription and meter are names`() throws {
    for (field, path) in [
      ("series.subscription", \Series.subscription), ("series.meter", \Series.meter),
    ] {
      #expect(
        try refusal(changed { $0.series[0][keyPath: path] = "" })
          == malformed(field, "has 0 bytes; 1 to 128 are taken"))
      #expect(
        try refusal(changed { $0.series[0][keyPath: path] = String(repeating: "a", count: 129) })
          == malformed(field, "has 129 bytes; 1 to 128 are taken"))
      #expect(
        try refusal(changed { $0.series[0][keyPath: path] = "ü" })
          == malformed(field, "may hold visible ASCII characters only, without spaces"))
    }
  }

  @Test func `the texts of a resource have their limits`() throws {
    for (field, path, least, most) in [
      ("series.resource_uri", \Resource.uri, 1, 1024), ("series.location", \.location, 0, 128),
      ("series.tags", \.tags, 0, 8192), ("series.additional_info", \.additionalInfo, 0, 8192),
    ] {
      // Of tags, one tag that takes all of them.
      let frame = path == \.tags ? 8 : 0
      let filling = String(repeating: "a", count: most - frame)
      let longest = changed {
        $0.series[0].resource[keyPath: path] =
          path == \.tags ? Resource.canonicalTags([("t", filling)]) : filling
      }
      #expect(try refusal(longest).isAccepted)
      let tooLong = changed {
        $0.series[0].resource[keyPath: path] = String(repeating: "a", count: most + 1)
      }
      #expect(
        try refusal(tooLong)
          == malformed(field, "has \(most + 1) bytes; \(least) to \(most) are taken"))
    }
    #expect(
      try refusal(changed { $0.series[0].resource.uri = "" })
        == malformed("series.resource_uri", "has 0 bytes; 1 to 1024 are taken"))
  }

  @Test func `a resource has at most 50 tags`() throws {
    func tagged(_ count: Int) -> EventBatch {
      changed {
        $0.series[0].resource.tags = Resource.canonicalTags(
          (0..<count).map { (name: String($0, radix: 36), value: "") })
      }
    }
    #expect(try refusal(tagged(50)).isAccepted)
    // The last has more tags than a text of tags is read for, in fewer bytes than it may have.
    for count in [51, 1010] {
      #expect(tagged(count).series[0].resource.tags.utf8.count <= EventLimits.tagsBytesMax)
      #expect(
        try refusal(tagged(count)) == malformed("series.tags", "has more than 50 tags"))
    }
  }

  @Test func `an id is UTF-8 of a limited length`() throws {
    func withID(_ id: [UInt8]) -> EventBatch {
      changed {
        $0.ids = id
        $0.idEnds = [id.count]
      }
    }
    #expect(try refusal(withID(Array("é 1".utf8))).isAccepted)
    #expect(try refusal(withID([])) == malformed("id", "has 0 bytes; 1 to 256 are taken"))
    #expect(
      try refusal(withID([UInt8](repeating: 97, count: 257)))
        == malformed("id", "has 257 bytes; 1 to 256 are taken"))
    for id: [UInt8] in [[0xFF], [97, 0], [0xC3]] {
      #expect(
        try refusal(withID(id)) == malformed("id", "is not UTF-8, or holds the character NUL"))
    }
  }

  @Test(arguments: [Int64.min, -1, Instant.accepted.upperBound.nanoseconds, .max])
  func `usage lies in the years that can be counted`(nanoseconds: Int64) throws {
    #expect(
      try refusal(changed { $0.usageStart[0] = nanoseconds })
        == malformed(
          "usage_start",
          "lies outside 1970 to 2261; it counts nanoseconds since 1970-01-01T00:00:00Z"))
    #expect(
      try refusal(changed { $0.usageEnd[0] = nanoseconds })
        == malformed("usage_end", "lies before usage_start or after 2261"))
  }

  @Test func `usage ends no earlier than it starts`() throws {
    #expect(try refusal(changed { $0.usageEnd[0] = $0.usageStart[0] }).isAccepted)
    #expect(
      try refusal(changed { $0.usageEnd[0] = $0.usageStart[0] - 1 })
        == malformed("usage_end", "lies before usage_start or after 2261"))
  }

  @Test func `a quantity is exact and at most 10^15 units`() throws {
    let most = EventLimits.quantityMax.attos
    for attos in [most, -most, 0, 1] {
      #expect(try refusal(changed { $0.attos[0] = attos }).isAccepted)
    }
    #expect(
      try refusal(changed { $0.attos[0] = most + 1 })
        == malformed(
          "quantity",
          "is 1000000000000000.000000000000000001; one event has at most 1000000000000000"))
    for attos in [EventBatch.notAQuantity, .max] {
      #expect(
        try refusal(changed { $0.attos[0] = attos })
          == malformed(
            "quantity", "units and attos must have the same sign, with fewer than 10^18 attos"))
    }
  }

  @Test func `a meter must be in the catalog`() throws {
    #expect(
      try refusal(changed { $0.series[0].meter = "disk" })
        == .quarantined(
          Refusal(
            .unknownMeter, field: "series.meter",
            "no meter \"disk\" is in the catalog; "
              + "add it there, restart the collector and the aggregator, then report again")))
  }

  @Test func `the future begins five minutes from now`() throws {
    func ending(_ end: Duration) -> EventBatch {
      changed { $0.usageEnd[0] = Fixture.now.advanced(by: end).nanoseconds }
    }
    #expect(try refusal(ending(.seconds(300))).isAccepted)
    let late = try refusal(ending(.seconds(300) + .nanoseconds(1)))
    #expect(
      late
        == .quarantined(
          Refusal(
            .inFuture, field: "usage_end",
            "is 2026-11-23T15:05:00.000000001Z, more than 5 minutes after the collector's clock, "
              + "2026-11-23T15:00:00Z; check both clocks")))
  }

  @Test func `an hour that began longer ago than the limit is too old`() throws {
    func starting(_ start: Duration) -> EventBatch {
      changed { $0.usageStart[0] = Fixture.now.advanced(by: start).nanoseconds }
    }
    let week: Duration = .seconds(-7 * 86_400)
    #expect(try refusal(starting(week)).isAccepted)
    #expect(
      try refusal(starting(week - .nanoseconds(1)))
        == .quarantined(
          Refusal(
            .tooOld, field: "usage_start",
            "is 2026-11-16T14:59:59.999999999Z; usage older than 7 days is no longer deduplicated, "
              + "so it is not counted")))
    // The hour counts as a whole: its bucket is forgotten as a whole.
    let next = Fixture.now.advanced(by: .nanoseconds(1))
    #expect(try refusal(starting(week + .seconds(60)), at: next).refusal?.reason == .tooOld)
  }

  @Test func `what is malformed is never called unknown, and what is unknown never late`() throws {
    var event = Fixture.event(meter: "disk", start: Instant(seconds: 0))
    #expect(try refusal(Fixture.batch([event])).refusal?.reason == .unknownMeter)
    event.id = ""
    #expect(try refusal(Fixture.batch([event])).refusal?.field == "id")
    event.series.subscription = ""
    #expect(try refusal(Fixture.batch([event])).refusal?.field == "series.subscription")
    event.source = ""
    #expect(try refusal(Fixture.batch([event])).refusal?.field == "source")
    let old = Fixture.event(start: Instant(seconds: 0))
    #expect(try refusal(Fixture.batch([old])).refusal?.reason == .tooOld)
  }
}
