import StackmeterCore
import StackmeterWire
import Testing

@Suite struct EventBatchWireTests {
  private static let columns = [
    "series_indices", "usage_starts", "usage_ends", "quantity_units", "quantity_attos",
  ]

  /// A batch of `count` events whose columns can each be given another length.
  private func batch(
    _ count: Int, ids: Int? = nil, series: Int = 1, index: UInt64 = 0, units: Int64 = 0,
    attos: Int64 = 0, lengths: [String: Int] = [:]
  ) -> [UInt8] {
    ProtoWriter.bytes { writer in
      writer.text(2, "p")
      for _ in 0..<series { writer.content(3, []) }
      writer.content(4, Array(repeating: 0x78, count: ids ?? count))
      writer.message(5) { for _ in 0..<count { $0.varint(1) } }
      writer.message(6) {
        for _ in 0..<lengths["series_indices", default: count] { $0.varint(index) }
      }
      let columns: [(Int, String, Int64)] = [
        (7, "usage_starts", 1), (8, "usage_ends", 2), (9, "quantity_units", units),
        (10, "quantity_attos", attos),
      ]
      for (number, name, value) in columns {
        writer.message(number) { for _ in 0..<lengths[name, default: count] { $0.fixed64(value) } }
      }
    }
  }

  private func error(_ bytes: [UInt8]) -> WireError? {
    wireError { () throws(WireError) in try NumberedBatch(bytes) }
  }

  @Test(arguments: columns, [0, 2, 4])
  func `a column of another length is refused by its name`(column: String, count: Int) {
    let error = error(batch(3, lengths: [column: count]))
    // Attos may be left out.
    #expect(error?.field == (column == "quantity_attos" && count == 0 ? nil : column))
  }

  @Test func `ids and their lengths must agree`() {
    #expect(error(batch(3)) == nil)
    for ids in [0, 2, 4] { #expect(error(batch(3, ids: ids))?.field == "id_lengths") }
    let huge = ProtoWriter.bytes { writer in
      writer.message(5) { for _ in 0..<16_384 { $0.varint(UInt64(UInt32.max)) } }
    }
    #expect(error(huge)?.field == "id_lengths")
  }

  @Test(arguments: [1, 2, UInt64(UInt32.max)])
  func `an index outside the dictionary is refused by its place`(index: UInt64) {
    #expect(error(batch(2, index: index))?.field == "series_indices[0]")
    #expect(error(batch(2, series: 0))?.field == "series_indices[0]")
  }

  @Test func `at most 16,384 events are taken at once`() throws {
    let max = EventLimits.batchEventsMax
    #expect(max == 16_384)
    #expect(try NumberedBatch(batch(max)).batch.count == max)
    #expect(error(batch(max + 1))?.field == "id_lengths")
    let rows = ProtoWriter.bytes { writer in for _ in 0...max { writer.content(1, []) } }
    let error = wireError { () throws(WireError) in try ReportRequest(rows) }
    #expect(error?.field == "events")
    #expect(try ReportRequest(Array(rows.dropLast(2))).count == max)
  }

  @Test func `columns come packed, unpacked, in pieces and in any order`() throws {
    let packed = try NumberedBatch(batch(3))
    let unpacked = ProtoWriter.bytes { writer in
      for number in [10, 9, 8, 7] {
        for _ in 0..<3 { writer.fixed64(number, number == 7 ? 1 : number == 8 ? 2 : 0) }
      }
      writer.number(6, 0)
      writer.content(6, [0, 0])
      writer.content(5, [1])
      writer.content(5, [])
      writer.number(5, 1)
      writer.content(5, [1])
      writer.text(4, "xxx")
      writer.content(3, [])
      writer.text(2, "overridden")
      writer.text(2, "p")
    }
    #expect(try NumberedBatch(unpacked) == packed)
  }

  @Test func `a packed column that is cut off is malformed`() {
    let faults: [(Int, [UInt8])] = [
      (5, [0x80]), (5, [1, 0xFF]), (5, Array(repeating: 0x80, count: 10) + [1]),
      (7, [1, 2, 3]), (7, Array(repeating: 0, count: 15)),
    ]
    for (number, content) in faults {
      let bytes = ProtoWriter.bytes { $0.content(number, content) }
      #expect(error(bytes)?.isMalformed == true, "\(number): \(content)")
    }
  }

  @Test(
    arguments: [
      (1, -1), (-1, 1), (0, 1_000_000_000_000_000_000), (0, .min), (.max, .max), (.min, 0),
      (.min, -1),
    ] as [(Int64, Int64)])
  func `a quantity whose parts disagree is none, and only its event suffers`(
    units: Int64, attos: Int64
  ) throws {
    let columns = try NumberedBatch(batch(1, units: units, attos: attos))
    #expect(columns.batch.attos == [EventBatch.notAQuantity])
    // It stays none when it is sent on.
    #expect(try NumberedBatch(columns.packed()) == columns)
    let quantity = ProtoWriter.bytes { writer in
      writer.number(1, UInt64(bitPattern: units))
      writer.number(2, UInt64(bitPattern: attos))
    }
    let rows = ProtoWriter.bytes { writer in writer.message(1) { $0.content(6, quantity) } }
    #expect(try ReportRequest(rows).batches[0].batch.attos == [EventBatch.notAQuantity])
    let total = ProtoWriter.bytes { writer in writer.message(1) { $0.content(4, quantity) } }
    let error = wireError { () throws(WireError) in try SummarizeResponse(total) }
    #expect(error?.field == "quantity")
    let usage = ProtoWriter.bytes { writer in
      writer.content(4, [])
      writer.message(1) { $0.content(4, quantity) }
    }
    #expect(
      wireError { () throws(WireError) in try ListUsageResponse(usage) }?.field == "quantity")
  }

  @Test func `every quantity in range survives`() throws {
    let last = Int64(Quantity.attosPerUnit - 1)
    let parts: [(Int64, Int64)] = [
      (.max, last), (-.max, -last), (0, -1), (0, 0), (-1, 0), (5, 0),
    ]
    for (units, attos) in parts {
      let columns = try NumberedBatch(batch(1, units: units, attos: attos))
      #expect(columns.batch.attos == [Int128(units) * Quantity.attosPerUnit + Int128(attos)])
      #expect(try NumberedBatch(columns.packed()) == columns)
    }
  }

  /// A batch of three events with these corrections: the event's place, `replaces` and `voids`.
  private func corrected(_ corrections: [(UInt64, String, String)]) -> [UInt8] {
    batch(3)
      + ProtoWriter.bytes { writer in
        for (index, replaces, voids) in corrections {
          writer.message(11) {
            $0.number(1, index)
            $0.text(2, replaces)
            $0.text(3, voids)
          }
        }
      }
  }

  @Test func `corrections are found by the place of their event`() throws {
    let read = try NumberedBatch(corrected([(0, "a", ""), (2, "", "é")])).batch
    #expect(read.correction(0) == Correction(.replaces, "a"))
    #expect(read.correction(1) == nil)
    #expect(read.correction(2) == Correction(.voids, "é"))
    #expect(try NumberedBatch(batch(3)).batch.corrections.isEmpty)
  }

  @Test func `an event that replaces and voids is taken as contradictory, alone and in a batch`()
    throws
  {
    let columns = try NumberedBatch(corrected([(1, "a", "b")]))
    #expect(columns.batch.correction(1)?.kind == .contradictory)
    #expect(try NumberedBatch(columns.packed()) == columns)
    let rows = ProtoWriter.bytes { writer in
      writer.message(1) {
        $0.text(7, "a")
        $0.text(8, "b")
      }
    }
    #expect(
      try ReportRequest(rows).batches[0].batch.correction(0) == Correction(.contradictory, "a"))
  }

  @Test(
    arguments: [
      [(3, "a", "")], [(UInt64(UInt32.max), "a", "")], [(1, "a", ""), (1, "", "b")],
      [(1, "a", ""), (0, "b", "")], [(0, "", "")],
    ] as [[(UInt64, String, String)]])
  func `corrections out of order, of no event or of no target are refused`(
    corrections: [(UInt64, String, String)]
  ) {
    #expect(error(corrected(corrections))?.field == "corrections")
  }

  @Test func `every event of a full batch may be a correction, and no more`() throws {
    let max = EventLimits.batchEventsMax
    let corrections = ProtoWriter.bytes { writer in
      for index in 0..<max {
        writer.message(11) {
          $0.number(1, UInt64(index))
          $0.text(3, "x")
        }
      }
    }
    let read = try NumberedBatch(batch(max) + corrections).batch
    #expect(read.corrections.count == max)
    #expect(read.correction(max / 3) == Correction(.voids, "x"))
    #expect(error(batch(max - 1) + corrections)?.field == "corrections")
  }

  @Test func `more series than events that are taken are refused by name`() {
    let most = EventLimits.batchEventsMax
    #expect(error(batch(1, series: most)) == nil)
    guard case .invalidField("series", _)? = error(batch(1, series: most + 1)) else {
      Issue.record("is taken")
      return
    }
  }

  @Test func `series are the same whether they were met before, forgotten, or are long`() throws {
    let most = EventLimits.batchEventsMax
    func batch(_ part: Int) -> EventBatch {
      EventBatch(
        source: "p",
        series: (0..<most).map { number in
          let info = number < 10 ? String(repeating: "i", count: 8 << 10) : ""
          return Series(
            subscription: "s", meter: "m\(part)",
            resource: Resource(
              uri: "/\(number)", tags: Resource.canonicalTags([("a", "\(part)")]),
              additionalInfo: info))
        })
    }
    // More than are remembered, and then the first ones again.
    for part in [0, 0, 1, 2, 3, 4, 0] {
      let batch = NumberedBatch(number: 1, batch: batch(part))
      let read = try NumberedBatch(batch.packed())
      #expect(read == batch)
    }
  }

  @Test func `a series that is none is refused each time, and does no harm to the next`() throws {
    let bad = ProtoWriter.bytes { $0.content(3, [0x0A, 1, 0xFF]) }
    for _ in 0..<2 {
      guard case .invalidText("subscription", _)? = error(bad) else {
        Issue.record("is taken")
        return
      }
      #expect(error(batch(2)) == nil)
    }
  }
}
