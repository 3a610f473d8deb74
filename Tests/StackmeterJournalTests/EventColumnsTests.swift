import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterJournal

/// The payload of a batch, read where it lies: any bytes are refused or read, and never more than there are.
@Suite struct EventColumnsTests {
  private static let events = (0..<5).map { number in
    UsageEvent(
      id: String(repeating: "i", count: number), source: "source",
      series: Series(
        subscription: "s\(number % 2)", meter: "m", resource: Resource(uri: "/r", tags: "{}")),
      usageStart: Instant(nanoseconds: Int64(number)),
      usageEnd: Instant(nanoseconds: Int64(number) + 7), quantity: Quantity(Int32(number)))
  }
  private static let payload = EventBatchBuilder(events).batches[0].batch.journalPayload()
  private static let count = events.count

  /// Reads everything that there is to read.
  private func readAll(_ bytes: [UInt8]) -> Int? {
    guard let columns = EventColumns(journalPayload: bytes[...]) else { return nil }
    return columns.withEvents { events in
      var read = events.source.count
      for series in 0..<columns.seriesCount { read += events.series(series).count }
      for event in 0..<columns.count {
        read += events.id(event).count + Int(events.attos(event) & 1)
        read += Int(truncatingIfNeeded: events.usageStart(event) &+ events.usageEnd(event)) & 1
        precondition(events.seriesIndex(event) < columns.seriesCount)
      }
      return read
    }
  }

  @Test func `a batch is read as it was written`() throws {
    let columns = try #require(EventColumns(journalPayload: Self.payload[...]))
    #expect(columns.count == Self.count && columns.seriesCount == 2)
    columns.withEvents { events in
      #expect(String(decoding: events.source, as: UTF8.self) == "source")
      for (index, event) in Self.events.enumerated() {
        #expect(String(decoding: events.id(index), as: UTF8.self) == event.id)
        #expect(Series(journalBytes: events.series(events.seriesIndex(index))) == event.series)
        #expect(events.usageStart(index) == event.usageStart.nanoseconds)
        #expect(events.usageEnd(index) == event.usageEnd.nanoseconds)
        #expect(events.attos(index) == event.quantity.attos)
      }
    }
  }

  @Test func `a payload that is cut anywhere, or is longer, is refused`() {
    for length in 0..<Self.payload.count {
      #expect(EventColumns(journalPayload: Self.payload[..<length]) == nil, "\(length)")
    }
    #expect(EventColumns(journalPayload: (Self.payload + [0])[...]) == nil)
  }

  /// Where a column begins, from the end: attos, ends, starts, series, ends of ids.
  private static func column(_ bytesBehind: Int) -> Int { payload.count - count * bytesBehind }

  @Test(arguments: [
    ("a series that is not in the dictionary", column(36), UInt32(2)),
    ("a series far beyond", column(36), .max),
    ("an id that ends behind the ids", column(40) + 16, 11),
    ("ids that end too early", column(40) + 16, 9),
    ("an id that ends before it begins", column(40) + 8, 0),
    ("an id that ends far beyond", column(40), .max),
    ("more events than there are", column(40) - 10 - 8, 6),
    ("more events than can be", column(40) - 10 - 8, .max),
    ("more bytes of ids than there are", column(40) - 10 - 4, .max),
    ("a dictionary that is larger than the payload", 8, .max),
  ])
  func `numbers that point outside are refused`(what: String, offset: Int, value: UInt32) {
    var bytes = Self.payload
    withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(offset..<offset + 4, with: $0) }
    #expect(EventColumns(journalPayload: bytes[...]) == nil, "\(what)")
  }

  @Test func `any changed byte is refused, or read without reaching outside`() {
    var (refused, read) = (0, 0)
    for offset in Self.payload.indices {
      for mask in [1, 2, 0x10, 0x80, 0xFF] as [UInt8] {
        var bytes = Self.payload
        bytes[offset] ^= mask
        if readAll(bytes) == nil { refused += 1 } else { read += 1 }
      }
    }
    #expect(refused > 100 && read > 100)
  }

  @Test func `random bytes are refused, or read without reaching outside`() throws {
    var random = try SeededRandom()
    for _ in 0..<20_000 {
      let bytes = (0..<Int.random(in: 0...80, using: &random)).map { _ in
        UInt8.random(in: 0...(Bool.random(using: &random) ? 3 : 255), using: &random)
      }
      _ = readAll(bytes)
    }
    let empty = EventBatchBuilder([Self.events[0]]).batches[0].batch.journalPayload()
    #expect(readAll(empty) != nil)
  }
}
