import StackmeterCore
import StackmeterWire
import Testing

@Suite struct MemoryBudgetTests {
  private let schema = ProtoSchema.committed

  /// `count` times the same field without content, in the sub-messages of the path before it.
  private func flood(_ path: [ProtoSchema.Field], count: Int) -> [UInt8] {
    let one = ProtoWriter.bytes { $0.content(path.last!.number, []) }
    return nested(path.dropLast()) { writer in
      var many: [UInt8] = []
      many.reserveCapacity(one.count * count)
      for _ in 0..<count { many += one }
      writer.raw(many)
    }
  }

  @Test(arguments: WireFixture.all)
  func `two megabytes of empty elements are refused for their memory`(fixture: WireFixture) {
    for path in schema.paths(from: fixture.name)
    where path.last!.isRepeated && schema.wireType(of: path.last!) == 2 {
      let bytes = flood(path, count: 1 << 20)
      let error = wireError { () throws(WireError) in try fixture.repack(bytes, .standard) }
      #expect(error?.isOverBudget == true, "\(path.map(\.name)): \(error.map { "\($0)" } ?? "")")
    }
  }

  @Test func `two megabytes of unknown fields are refused for their memory`() {
    let bytes = Array(repeatElement([0xF8, 0x01, 0x00] as [UInt8], count: 700_000).joined())
    let error = wireError { () throws(WireError) in try GetStatusRequest(bytes) }
    #expect(error?.isOverBudget == true)
  }

  @Test(arguments: WireFixture.all)
  func `memory stays within any budget, and enough is enough`(fixture: WireFixture) throws {
    let bytes = fixture.examples.max { $0.count < $1.count }!
    let needed = try fixture.memoryBytes(bytes, .standard)
    var wasTaken = false
    for budget in stride(from: 0, through: needed, by: 61) {
      let limits = WireLimits(
        messageBytesMax: 1 << 20, memoryBytesMax: budget, textBytesMax: 1 << 10)
      do throws(WireError) {
        #expect(try fixture.memoryBytes(bytes, limits) <= budget)
        wasTaken = true
      } catch {
        #expect(error == .overBudget(bytesMax: budget))
        #expect(!wasTaken, "a greater budget is never too small")
      }
    }
    let exact = WireLimits(
      messageBytesMax: bytes.count, memoryBytesMax: needed, textBytesMax: 1 << 10)
    #expect(try fixture.memoryBytes(bytes, exact) == needed)
  }

  @Test(arguments: [1, 100, 5_000, 40_000])
  func `a flood is cut off at any budget`(budgetKilobytes: Int) {
    let path = schema.paths(from: "stackmeter.v1.ReportRequest").first { $0.last!.name == "tags" }!
    let bytes = flood(path, count: 200_000)
    let limits = WireLimits(
      messageBytesMax: .max, memoryBytesMax: budgetKilobytes << 10, textBytesMax: 16)
    let error = wireError { () throws(WireError) in try ReportRequest(bytes, limits: limits) }
    #expect(error?.isOverBudget == (budgetKilobytes == 40_000 ? nil : true))
  }

  @Test func `a message past the limit of bytes is refused before it is read`() throws {
    let max = WireLimits.standard.messageBytesMax
    #expect(max == 4 << 20)
    let content = [UInt8](repeating: 0xFF, count: max - 5)
    let chunk = ProtoWriter.bytes { $0.content(1, content) }
    #expect(chunk.count == max)
    #expect(try JournalChunk(chunk).records.count == content.count)
    let error = wireError { () throws(WireError) in try JournalChunk(chunk + [0]) }
    #expect(error == .tooLarge(bytes: max + 1, max: max))
  }

  @Test func `the largest honest request fits the budget`() throws {
    let text = String(repeating: "x", count: 50)
    let events = (0..<EventLimits.batchEventsMax).map { index in
      UsageEvent(
        id: "event-\(index)", source: "provider",
        series: Series(
          subscription: text, meter: "meter-\(index)",
          resource: Resource(uri: "/" + text, location: "local", tags: #"{"owner":"x"}"#)),
        usageStart: Instant(seconds: 1_700_000_000), usageEnd: Instant(seconds: 1_700_003_600),
        quantity: Quantity(units: 1, attos: 5)!)
    }
    let request = ReportRequest(events)
    let bytes = request.packed()
    #expect(bytes.count > 3_000_000)
    #expect(try ReportRequest(bytes) == request)
  }
}
