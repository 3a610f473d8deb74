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
  private func line(_ text: String) -> ExportLine? { ExportLine(Array(text.utf8)[...]) }

  private func registration(_ members: String = "") throws -> BridgeRegistration {
    let text =
      #"{"site":"s","model":"payAsYouUse","endpoint":"https://x/","key":"k"\#(members)}"#
    return try BridgeRegistration(json: Array(text.utf8))
  }

  private func meter(_ id: String, isBillable: Bool) -> Meter {
    Meter(
      id: id, name: id, unit: "h", category: "c", resourceProvider: "p", aggregation: .sum,
      isBillable: isBillable)
  }

  private func record(
    _ text: String, _ members: String = "", meters: [Meter] = []
  ) throws -> CommerceRecord? {
    var mapper = RecordMapper(try registration(members), meters: meters)
    let row = try #require(line(text))
    guard let mapped = mapper.record(row) else { return nil }
    let value = try JSONValue(parsing: mapped.json, limits: .event)
    let record = try CommerceRecord(json: value, path: "record")
    #expect(record.id == mapped.id)
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
    let text = #"{"site":"s","model":"development","endpoint":"https://x/","key":"k"}"#
    var mapper = RecordMapper(try BridgeRegistration(json: Array(text.utf8)), meters: [])
    let row = try #require(line(exportLine()))
    let made = mapper.record(row)
    let mapped = try #require(made)
    let value = try JSONValue(parsing: mapped.json, limits: .event)
    #expect(try CommerceRecord(json: value, path: "").unitPrice == .zero)
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
    #expect(line(text) == nil)
  }

  @Test func `each beginning of a row is no row`() {
    let whole = Array(exportLine().utf8)
    // The last member could be shorter: what ends with a brace is query's business.
    for count in 0..<whole.count { #expect(ExportLine(whole[..<count]) == nil, "\(count)") }
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
      CommerceIdentity.batch(records: ["r1-a", "r1-b"]) == "b1-ee84bf508a95d5e2d53011b779ddfc5b")
    #expect(CommerceIdentity.batch(records: ["r1-a", "r1-b"]).utf8.count == 35)
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
