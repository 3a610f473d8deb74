import StackmeterCore
import Testing

@Suite struct QuarantineFilterTests {
  private func matches(_ filter: QuarantineFilter) -> Bool {
    filter.matches(
      Refusal(.tooOld, field: "usage_start", "is old"), refusedTime: Instant(seconds: 10),
      source: "vm", subscription: "Abc")
  }

  @Test func `an empty filter means all, and everything that is said must hold`() {
    #expect(matches(QuarantineFilter()))
    let holding = QuarantineFilter(
      reasons: [.tooOld, .conflict], source: "vm", subscription: "aBC", from: Instant(seconds: 10),
      to: Instant(seconds: 11))
    #expect(matches(holding))
    let changes: [(inout QuarantineFilter) -> Void] = [
      { $0.reasons = [.conflict] }, { $0.source = "VM" }, { $0.source = "" },
      { $0.subscription = "ab" }, { $0.from = Instant(seconds: 11) },
      { $0.to = Instant(seconds: 10) },
    ]
    for change in changes {
      var filter = holding
      change(&filter)
      #expect(!matches(filter), "\(filter)")
    }
  }

  @Test func `every reason is found by its name`() {
    for reason in Refusal.Reason.allCases {
      #expect(Refusal.Reason(name: reason.name) == reason)
      #expect(Refusal.Reason.names.contains(reason.name))
    }
    #expect(Refusal.Reason(name: "tooold") == nil)
  }
}
