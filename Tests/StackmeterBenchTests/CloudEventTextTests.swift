import StackmeterCore
import Testing

@testable import StackmeterBench

@Suite struct CloudEventTextTests {
  @Test func `the events that are posted are those of the batch`() throws {
    let workload = workload()
    var text = CloudEventText(workload)
    var reporter = Reporter(workload, number: 0, inFlight: 1)
    let prepared = reporter.next(300)
    guard case .array(let elements) = try JSONValue(parsing: text.array(prepared), limits: .batch)
    else {
      Issue.record("it is no array")
      return
    }
    #expect(
      try elements.map { try UsageEvent(cloudEvent: $0) } == (0..<300).map(prepared.batch.event))
  }
}
