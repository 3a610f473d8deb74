import StackmeterCore
import Testing

@Suite struct EventResultTests {
  private let refusal = Refusal(.tooOld, field: "usageStart", "is past the lateness limit")

  @Test func `accepted, duplicate and parked are success and have no refusal`() {
    for result in [
      EventResult.accepted(position: 1, reportedTime: Instant(seconds: 1)), .duplicate(position: 1),
      .parked(position: 1),
    ] {
      #expect(result.isSuccess && result.refusal == nil)
    }
  }

  @Test func `all else is no success and says why`() {
    for result in [
      EventResult.conflict(position: 1, refusal), .quarantined(refusal), .invalid(refusal),
    ] {
      #expect(!result.isSuccess && result.refusal == refusal)
    }
  }

  @Test func `the numbers and names of the reasons never change`() {
    #expect(
      Refusal.Reason.allCases.map { "\($0.rawValue) \($0.name)" } == [
        "1 Conflict", "2 UnknownMeter", "3 TooOld", "4 InFuture", "5 Malformed",
        "6 AlreadyCorrected", "7 VoidOfVoid", "8 UnknownTarget",
      ])
  }
}
