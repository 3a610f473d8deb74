import StackmeterCore
import StackmeterTesting
import StackmeterWire
import Testing

@Suite struct RoundTripTests {
  @Test(arguments: WireFixture.all)
  func `a value survives the wire`(fixture: WireFixture) throws {
    #expect(try fixture.roundTrips())
    for example in fixture.examples {
      #expect(try fixture.repack(example, .standard) == example)
    }
  }

  @Test(arguments: WireFixture.all)
  func `nothing at all is a message of defaults, unless something is needed`(
    fixture: WireFixture
  ) throws {
    let needed = [
      "stackmeter.v1.ListUsageRequest": "caller.role",
      "stackmeter.v1.SummarizeRequest": "caller.role",
      "stackmeter.v1.ExportUsageRequest": "caller.role",
      "stackmeter.v1.ListSubscriptionsRequest": "caller.role",
      "stackmeter.v1.ExplainRequest": "caller.role",
      "stackmeter.v1.ListWindowsRequest": "caller.role",
      "stackmeter.v1.ListSourcesRequest": "caller.role",
      "stackmeter.v1.ListRateCardsRequest": "caller.role",
      "stackmeter.v1.GetRateCardRequest": "caller.role",
      "stackmeter.v1.TryRateCardRequest": "caller.role",
      "stackmeter.v1.ListBudgetsRequest": "caller.role",
      "stackmeter.v1.ListRatesRequest": "caller.role",
      "stackmeter.v1.ListChargesRequest": "caller.role",
      "stackmeter.v1.ListStatementsRequest": "caller.role",
      "stackmeter.v1.GetStatementRequest": "caller.role",
      "stackmeter.v1.ExportFocusRequest": "caller.role",
      "stackmeter.v1.ShowbackRequest": "caller.role",
      "stackmeter.v1.ReconcileRequest": "caller.role",
      "stackmeter.v1.GetRateCardResponse": "version",
      "stackmeter.v1.ExplainResponse": "aggregation",
      "stackmeter.v1.QuarantineEntry": "entries",
      "stackmeter.v1.ResolveQuarantineRequest": "numbers",
      "stackmeter.v1.ControlBridgeRequest": "action",
    ]
    let error = wireError { () throws(WireError) in try fixture.repack([], .standard) }
    #expect(error?.field == needed[fixture.name])
    #expect((error == nil) == (needed[fixture.name] == nil))
  }

  @Test(arguments: WireFixture.all)
  func `unknown fields of every wire type are passed over`(fixture: WireFixture) throws {
    let unknown = ProtoWriter.bytes { writer in
      writer.number(1000, .max)
      writer.fixed64(1001, -1)
      writer.content(1002, [0, 0xFF, 0x0A, 0xFF])
      writer.key(1003, wireType: 5)
      writer.raw([1, 2, 3, 4])
      writer.text((1 << 29) - 1, "the last number there is")
    }
    for example in fixture.examples {
      #expect(try fixture.repack(unknown + example, .standard) == example)
      #expect(try fixture.repack(example + unknown, .standard) == example)
    }
  }

  @Test func `the bytes of small messages are those of the specification`() throws {
    #expect(HealthCheckRequest().packed() == [])
    #expect(HealthCheckRequest(service: "aé").packed() == [0x0A, 3, 0x61, 0xC3, 0xA9])
    #expect(HealthCheckResponse(status: .serving).packed() == [0x08, 1])
    #expect(
      ReadJournalRequest(fromPosition: 150, follow: true, journalID: 0x0102).packed()
        == [0x08, 0x96, 1, 0x10, 1, 0x19, 2, 1, 0, 0, 0, 0, 0, 0])
    #expect(
      JournalChunk(records: [9, 0], nextPosition: 1, durablePosition: 300, journalID: 3).packed()
        == [0x0A, 2, 9, 0, 0x10, 1, 0x18, 0xAC, 2, 0x21, 3, 0, 0, 0, 0, 0, 0, 0])
    // A negative number is ten bytes.
    #expect(
      ListWindowsRequest(caller: .operator, before: Hour(index: -1), pageSize: 2).packed()
        == [0x08] + Array(repeating: 0xFF, count: 9) + [1, 0x10, 2, 0x1A, 2, 8, 1])
    #expect(
      SummarizeRequest(
        caller: .tenant(subscriptions: ["s"]),
        hours: Hour(index: 1)..<Hour(index: 2), byDay: true, meters: ["m", ""]
      ).packed()
        == [0x0A, 5, 0x08, 2, 0x12, 1, 0x73, 0x10, 1, 0x18, 2, 0x20, 1, 0x3A, 1, 0x6D, 0x3A, 0])
  }

  @Test func `the bytes of a columnar batch are packed columns`() {
    var batch = EventBatch(
      source: "p",
      series: [Series(subscription: "s", meter: "m", resource: Resource(uri: "/"))])
    batch.append(
      id: "ab".utf8, seriesIndex: 0, usageStart: 1, usageEnd: 2,
      attos: -3 * Quantity.attosPerUnit)
    batch.append(id: "c".utf8, seriesIndex: 0, usageStart: -1, usageEnd: 0, attos: 0)
    let ones: [UInt8] = Array(repeating: 0xFF, count: 8)
    let zeros: [UInt8] = Array(repeating: 0, count: 7)
    var expected: [UInt8] = [0x08, 4, 0x12, 1, 0x70]
    expected += [0x1A, 9, 0x0A, 1, 0x73, 0x12, 1, 0x6D, 0x1A, 1, 0x2F]
    expected += [0x22, 3, 0x61, 0x62, 0x63, 0x2A, 2, 2, 1, 0x32, 2, 0, 0]
    expected += [0x3A, 16, 1] + zeros + ones
    expected += [0x42, 16, 2] + zeros + [0] + zeros
    expected += [0x4A, 16, 0xFD] + ones.dropLast() + [0] + zeros
    expected += [0x52, 16, 0] + zeros + [0] + zeros
    #expect(NumberedBatch(number: 4, batch: batch).packed() == expected)
  }

  @Test func `random batches survive the wire as rows and as columns`() throws {
    try withSeededRandom { random in
      for _ in 0..<20 {
        let events = (0..<Int.random(in: 0...60, using: &random)).map { _ in
          UsageEvent.random(using: &random)
        }
        let request = ReportRequest(events)
        try #require(try ReportRequest(request.packed()) == request)
        for sourced in request.batches {
          let batch = NumberedBatch(number: random.next(), batch: sourced.batch)
          try #require(try NumberedBatch(batch.packed()) == batch)
        }
      }
    }
  }
}

extension UsageEvent {
  fileprivate static func random(using random: inout SeededRandom) -> UsageEvent {
    func name(_ random: inout SeededRandom) -> String {
      let letters: [Character] = ["a", "B", "é", "\u{301}", "🚗", "\"", "\\", " ", "\u{1}"]
      return String(
        (0..<Int.random(in: 0...6, using: &random)).map { _ in
          letters.randomElement(using: &random)!
        })
    }
    let tags = (0..<Int.random(in: 0...3, using: &random)).map { _ in
      (name: name(&random), value: name(&random))
    }
    let attos = Int128.random(in: -Quantity.max.attos...Quantity.max.attos, using: &random)
    return UsageEvent(
      id: name(&random), source: name(&random),
      series: Series(
        subscription: name(&random), meter: name(&random),
        resource: Resource(
          uri: name(&random), location: name(&random), tags: Resource.canonicalTags(tags),
          additionalInfo: name(&random))),
      usageStart: Instant(nanoseconds: Int64(bitPattern: random.next())),
      usageEnd: Instant(nanoseconds: Int64(bitPattern: random.next())),
      quantity: Quantity(attos: attos)!)
  }
}
