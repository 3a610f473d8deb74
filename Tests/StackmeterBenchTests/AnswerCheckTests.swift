import StackmeterCore
import Testing

@testable import StackmeterBench

@Suite struct AnswerCheckTests {
  private let time = Instant(nanoseconds: 0)

  private func accepted(_ position: UInt64) -> EventResult {
    .accepted(position: position, reportedTime: time)
  }

  /// Two batches: events 0 to 2 at the positions 10 to 12, and a retry of 1 between 3 and 4.
  private let first = ExpectedAnswers(firstNew: 0, newCount: 3, retries: [])
  private let second = ExpectedAnswers(
    firstNew: 3, newCount: 2, retries: [.init(slot: 1, number: 1)])

  @Test func `the expected answers pass`() throws {
    var check = AnswerCheck()
    try check.take([accepted(10), accepted(11), accepted(12)], first)
    try check.take([accepted(20), .duplicate(position: 11), accepted(21)], second)
    #expect(check.accepted == 5)
    #expect(check.duplicates == 1)
    #expect(check.position(of: 2) == 12)
    #expect(check.position(of: 4) == 21)
  }

  @Test(arguments: [
    [(20, false), (11, true)],
    [(20, false), (12, true), (21, false)],
    [(20, false), (21, false), (22, false)],
    [(20, false), (11, true), (22, false)],
    [(20, true), (11, true), (21, false)],
  ])
  func `any other answer fails`(answers: [(position: UInt64, isDuplicate: Bool)]) throws {
    var check = AnswerCheck()
    try check.take([accepted(10), accepted(11), accepted(12)], first)
    #expect(throws: BenchFailure.self) {
      try check.take(
        answers.map { $0.isDuplicate ? .duplicate(position: $0.position) : accepted($0.position) },
        second)
    }
  }

  @Test func `a refusal fails`() {
    var check = AnswerCheck()
    let refusal = Refusal(.tooOld, field: "usage_start", "is old")
    #expect(throws: BenchFailure.self) {
      try check.take([accepted(10), .quarantined(refusal), accepted(11)], first)
    }
  }
}
