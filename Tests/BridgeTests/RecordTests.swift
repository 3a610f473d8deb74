import StackmeterCommerce
import StackmeterCompression
import StackmeterCore
import Testing

@testable import BridgeServer

/// A row as query exports it.
func exportLine(
  id: String = "00112233445566778899aabbccddeeff-2026112315-2026112316",
  subscription: String = "S1", meter: String = "M1", quantity: String = "1.5",
  usage: String = "2026-11-23T15:00:00Z", usageEnd: String = "2026-11-23T16:00:00Z",
  window: String = "2026-11-23T16:00:00Z"
) -> String {
  #"{"id":"\#(id)","contentHash":"v1-00","subscriptionId":"\#(subscription)","meterId":"\#(meter)","#
    + #""resourceUri":"/vm/\"1","location":"local","tags":{"b":"2","a":"ü"},"additionalInfo":"","#
    + #""usageStart":"\#(usage)","usageEnd":"\#(usageEnd)","quantity":"\#(quantity)","#
    + #""window":"\#(window)","cell":"local"}"#
}

@Suite struct RecordTests {
  private func isRow(_ text: some Sequence<UInt8>) -> Bool {
    Array(text).withUnsafeBytes { ExportLine($0) != nil }
  }

  private static let window = Hour(index: 7)

  private func registration(
    _ members: String = "", model: String = "payAsYouUse"
  ) throws -> BridgeRegistration {
    let text =
      #"{"site":"s","model":"\#(model)","endpoint":"https://x/","key":"k"\#(members)}"#
    return try BridgeRegistration(json: Array(text.utf8))
  }

  private func meter(_ id: String, isBillable: Bool) -> Meter {
    Meter(
      id: id, name: id, unit: "h", category: "c", resourceProvider: "p", aggregation: .sum,
      isBillable: isBillable)
  }

  /// The record that is made of a row, as it is in its batch.
  private func record(
    _ text: String, _ members: String = "", model: String = "payAsYouUse", meters: [Meter] = []
  ) throws -> CommerceRecord? {
    var mapper = RecordMapper(try registration(members, model: model), meters: meters)
    let batches = try mapper.batches(
      of: Array("\(text)\n".utf8), droppingFirst: 0, window: Self.window)
    guard let batch = batches.first else { return nil }
    let records = try #require(OpenedBatch(batch.body)).records
    try #require(batches.count == 1 && batch.records == 1 && records.count == 1)
    let value = try JSONValue(parsing: records[0].json, limits: .event)
    let record = try CommerceRecord(json: value, path: "record")
    #expect(record.id == records[0].id)
    return record
  }

  @Test func `a row becomes a record with everything that it says`() throws {
    let made = try record(exportLine())
    let record = try #require(made)
    #expect(
      record
        == CommerceRecord(
          id: CommerceIdentity.record(
            row: "00112233445566778899aabbccddeeff-2026112315-2026112316".utf8, revision: 0),
          subscription: "S1", meter: "M1", localMeter: "M1",
          resource: Resource(
            uri: "/vm/\"1", location: "local", tags: #"{"a":"ü","b":"2"}"#),
          usageStart: Instant(parsing: "2026-11-23T15:00:00Z")!,
          usageEnd: Instant(parsing: "2026-11-23T16:00:00Z")!,
          window: Instant(parsing: "2026-11-23T16:00:00Z")!.hour, cell: "local",
          quantity: try Quantity(parsing: "1.5")))
  }

  @Test func `meters and customers are mapped without case`() throws {
    let mapping =
      #","meters":{"m1":"CPU-H"},"customers":{"s1":"c-1"},"defaultCustomer":"c-0""#
    let first = try record(exportLine(), mapping)
    let mapped = try #require(first)
    #expect(mapped.meter == "CPU-H" && mapped.localMeter == "M1" && mapped.customer == "c-1")
    let second = try record(exportLine(subscription: "S2", meter: "M2"), mapping)
    let other = try #require(second)
    #expect(other.meter == "M2" && other.customer == "c-0")
  }

  @Test func `a meter that is not billable makes no record, one that nobody knows does`() throws {
    let meters = [meter("m1", isBillable: false), meter("M2", isBillable: true)]
    #expect(try record(exportLine(), meters: meters) == nil)
    #expect(try record(exportLine(meter: "m2"), meters: meters) != nil)
    #expect(try record(exportLine(meter: "m3"), meters: meters) != nil)
  }

  @Test func `development has a price of zero`() throws {
    let made = try record(exportLine(), model: "development")
    #expect(try #require(made).unitPrice == .zero)
  }

  @Test func `texts with escapes are read as what they say`() throws {
    let made = try record(exportLine(subscription: #"a\"b\\"#, meter: #"\u00fc"#))
    let record = try #require(made)
    #expect(record.subscription == #"a"b\"#)
    #expect(record.localMeter == "ü")
  }

  @Test(arguments: [
    "", "{}", "{\"id\":\"a\"}", "null", #"{"end":true,"rows":1,"from":"","to":""}"#,
  ])
  func `another text is no row`(text: String) {
    #expect(!isRow(text.utf8))
  }

  @Test func `each beginning of a row is no row`() {
    let whole = Array(exportLine().utf8)
    // The last member could be shorter: what ends with a brace is query's business.
    for count in 0..<whole.count { #expect(!isRow(whole[..<count]), "\(count)") }
  }

  @Test func `the bytes of a batch are the same for ever`() throws {
    let mapping = #","meters":{"m1":"CPU-H"},"defaultCustomer":"c-0""#
    let other = "ff112233445566778899aabbccddeeff-2026112315-2026112316"
    let part = [
      exportLine(), exportLine(meter: "m2"), exportLine(id: other, meter: "M3", quantity: "-2"), "",
    ].joined(separator: "\n")
    var mapper = RecordMapper(try registration(mapping), meters: [meter("M2", isBillable: false)])
    // Twice, as some of it is remembered.
    for _ in 0..<2 {
      let batches = try mapper.batches(
        of: Array(part.utf8), droppingFirst: 0, window: Hour(index: 498_736))
      // What Python's hashlib makes of the rows' ids.
      #expect(batches.map(\.id) == ["b1-95b77f496319fffd2aba11d1d6421aeb"])
      let text = try GzipDecoder.decode(batches[0].body, GzipLimits(outputBytesMax: 1 << 20))
      let rest =
        #""resourceUri":"/vm/\"1","location":"local","tags":{"b":"2","a":"ü"},"additionalInfo":"","#
        + #""usageStart":"2026-11-23T15:00:00Z","usageEnd":"2026-11-23T16:00:00Z","#
      let end = #""window":"2026-11-23T16:00:00Z","cell":"local"}"#
      let expected =
        #"{"batch":"b1-95b77f496319fffd2aba11d1d6421aeb","site":"s","model":"payAsYouUse","#
        + #""window":"2026-11-23T16:00:00Z","records":["#
        + #"{"id":"r1-fdc08fddf85fc3dcc55fbc743d4dfa64","revision":0,"subscription":"S1","#
        + #""customer":"c-0","meter":"CPU-H","localMeter":"M1","# + rest + #""quantity":"1.5","#
        + end + #",{"id":"r1-5d44057b4950308191620c15e8108b10","revision":0,"subscription":"S1","#
        + #""customer":"c-0","meter":"M3","localMeter":"M3","# + rest + #""quantity":"-2","# + end
        + "]}"
      #expect(String(decoding: text, as: UTF8.self) == expected)
    }
  }

  @Test func `a part is taken from any of its rows, and refused where one is none`() throws {
    var mapper = RecordMapper(try registration(), meters: [])
    let lines = (0..<5).map { exportLine(id: "\($0)", subscription: "S\($0 % 2)") + "\n" }
    let part = Array(lines.joined().utf8)
    #expect(part.withUnsafeBytes(ExportLines.count) == 5)
    for dropped in 0...6 {
      let batches = try mapper.batches(of: part, droppingFirst: dropped, window: Self.window)
      let records = try batches.flatMap { try #require(OpenedBatch($0.body)).records.map(\.id) }
      #expect(
        records
          == (0..<5).dropFirst(dropped).map {
            CommerceIdentity.record(row: "\($0)".utf8, revision: 0)
          })
    }
    #expect(try mapper.batches(of: [], droppingFirst: 0, window: Self.window).isEmpty)
    // Its last line feed is missing, a line is empty, or an escape is none.
    for foreign in [
      part.dropLast(), part + [10], part + Array((exportLine(meter: #"\x"#) + "\n").utf8),
    ] {
      #expect(throws: ForeignLine()) {
        _ = try mapper.batches(of: Array(foreign), droppingFirst: 0, window: Self.window)
      }
    }
  }

  @Test func `more subscriptions and meters than are remembered are mapped as well`() throws {
    var mapper = RecordMapper(
      try registration(#","customers":{"s10500":"late"}"#), meters: [])
    let count = RecordMapper.textsMax + 1000
    let lines = (0..<count).map { exportLine(id: "\($0)", subscription: "S\($0)") + "\n" }
    let batches = try mapper.batches(
      of: Array(lines.joined().utf8), droppingFirst: 0, window: Self.window)
    #expect(batches.reduce(0) { $0 + $1.records } == count)
    let records = try #require(OpenedBatch(batches[10].body)).records
    let value = try JSONValue(parsing: records[500].json, limits: .event)
    let record = try CommerceRecord(json: value, path: "record")
    #expect(record.subscription == "S10500" && record.customer == "late")
  }

  @Test func `ids are the same for ever`() {
    #expect(
      CommerceIdentity.record(
        row: "00112233445566778899aabbccddeeff-2026112315-2026112316".utf8, revision: 0)
        == "r1-fdc08fddf85fc3dcc55fbc743d4dfa64")
    #expect(
      CommerceIdentity.record(
        row: "00112233445566778899aabbccddeeff-2026112315-2026112316".utf8, revision: 1)
        != "r1-fdc08fddf85fc3dcc55fbc743d4dfa64")
    #expect(
      CommerceIdentity.batch(records: Array("r1-a\0r1-b\0".utf8))
        == "b1-ee84bf508a95d5e2d53011b779ddfc5b")
  }

  @Test func `batches have at most so many records and bytes, and halves have all of them`() throws
  {
    var builder = BatchBuilder(site: "s", model: .payAsYouUse, window: Hour(index: 7))
    for number in 0..<2500 {
      builder.add(id: "r\(number)", json: Array("{\"id\":\"r\(number)\"}".utf8))
    }
    let batches = builder.finish()
    #expect(batches.map(\.records) == [1000, 1000, 500])
    let opened = try #require(OpenedBatch(batches[0].body))
    #expect(opened.site == "s" && opened.records.map(\.id) == (0..<1000).map { "r\($0)" })
    let halves = opened.halves(window: Hour(index: 7))
    #expect(halves.map(\.records) == [500, 500])
    var ids: [String] = []
    for half in halves { ids += try #require(OpenedBatch(half.body)).records.map(\.id) }
    #expect(ids == opened.records.map(\.id))
    let large =
      Array("{\"id\":\"x\",\"t\":\"".utf8) + [UInt8](repeating: 97, count: 1 << 20)
      + Array("\"}".utf8)
    for _ in 0..<3 { builder.add(id: "x", json: large) }
    #expect(builder.finish().map(\.records) == [1, 1, 1])
    #expect(builder.finish().isEmpty)
    #expect(OpenedBatch([1, 2, 3]) == nil)
  }
}
