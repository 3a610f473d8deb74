import StackmeterCore
import StackmeterWire
import Testing

@Suite struct QuestionWireTests {
  /// A question of an operator with what `body` adds.
  private func question(_ body: (inout ProtoWriter) -> Void) -> [UInt8] {
    ProtoWriter.bytes { writer in
      writer.message(1) { $0.number(1, 1) }
      body(&writer)
    }
  }

  private func usageError(_ bytes: [UInt8]) -> WireError? {
    wireError { () throws(WireError) in try ListUsageRequest(bytes) }
  }

  private func totalsError(_ bytes: [UInt8]) -> WireError? {
    wireError { () throws(WireError) in try SummarizeRequest(bytes) }
  }

  @Test(arguments: [0, 5, UInt64(Int32.max), UInt64(bitPattern: -1)])
  func `nobody sees anything by a role that is missing or unknown`(role: UInt64) {
    let bytes = ProtoWriter.bytes { writer in writer.message(1) { $0.number(1, role) } }
    #expect(usageError(bytes)?.field == "caller.role")
    #expect(totalsError(bytes)?.field == "caller.role")
  }

  @Test func `a provider without an id sees nothing`() {
    let bytes = ProtoWriter.bytes { writer in writer.message(1) { $0.number(1, 3) } }
    #expect(usageError(bytes)?.field == "caller.provider")
  }

  @Test(
    arguments: [
      (0, 70_389_529, "to_"), (-1, 0, "from_"), (2, 1, "to_"), (.min, .max, "from_"),
      (.max, .max, "from_"),
    ] as [(Int64, Int64, String)])
  func `hours that are no time are refused by their field`(
    from: Int64, to: Int64, field: String
  ) {
    let bytes = question { writer in
      writer.number(2, UInt64(bitPattern: from))
      writer.number(3, UInt64(bitPattern: to))
      writer.number(4, 1)
    }
    #expect(usageError(bytes)?.field == field + "window")
    #expect(totalsError(bytes)?.field == field + "hour")
  }

  @Test func `a granularity is needed`() {
    #expect(usageError(question { _ in })?.field == "granularity")
    #expect(usageError(question { $0.number(4, 4) })?.field == "granularity")
    #expect(usageError(question { $0.number(4, 2) }) == nil)
  }

  @Test(arguments: [(5, 6), (6, 7)])
  func `a question names at most 1,000 subscriptions and meters`(usage: Int, totals: Int) {
    let field = usage == 5 ? "subscriptions" : "meters"
    for (count, expected) in [(1000, nil), (1001, field)] as [(Int, String?)] {
      let usageBytes = question { writer in
        writer.number(4, 1)
        for _ in 0..<count { writer.text(usage, "x") }
      }
      let totalsBytes = question { writer in
        for _ in 0..<count { writer.text(totals, "x") }
      }
      #expect(usageError(usageBytes)?.field == expected)
      #expect(totalsError(totalsBytes)?.field == expected)
    }
  }

  @Test func `subscriptions are compared in lower case`() throws {
    let bytes = ProtoWriter.bytes { writer in
      writer.message(1) {
        $0.number(1, 2)
        $0.text(2, "ABC-É")
      }
      writer.number(4, 1)
      writer.text(5, "ABC")
    }
    let request = try ListUsageRequest(bytes)
    #expect(request.caller == .tenant(subscriptions: ["abc-É"]))
    #expect(request.subscriptions == ["abc"])
  }

  @Test func `an aggregation that is unknown is refused`() {
    let bytes = ProtoWriter.bytes { writer in writer.message(1) { $0.text(6, "median") } }
    let error = wireError { () throws(WireError) in try ListMetersResponse(bytes) }
    #expect(error?.field == "meters.aggregation")
  }

  @Test func `a status of health that is unknown reads as unknown`() throws {
    #expect(try HealthCheckResponse([0x08, 9]).status == .unknown)
  }

  @Test func `services that did not answer are absent`() throws {
    let status = try PipelineStatus([])
    #expect(status.collector == nil && status.aggregator == nil)
    let present = try PipelineStatus([0x22, 0, 0x2A, 0])
    #expect(present.collector == CollectorStatus() && present.aggregator == AggregatorStatus())
  }
}
