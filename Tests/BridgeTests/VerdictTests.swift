import StackmeterCommerce
import StackmeterCore
import Testing

@testable import BridgeServer

@Suite struct VerdictTests {
  private let batch = OutgoingBatch(
    number: 1, id: "b1-00", window: Hour(index: 498_736), records: 3, body: [])
  private let now = Instant(parsing: "2026-11-23T15:00:00Z")!

  private func verdict(
    _ status: Int, _ body: String = "", retryAfter: String? = nil, location: String? = nil
  ) -> Verdict {
    Verdict(
      HTTPAnswer(
        status: status, retryAfter: retryAfter, location: location, body: Array(body.utf8)),
      to: batch, at: now)
  }

  private func again(_ verdict: Verdict) -> Bool {
    if case .again = verdict { true } else { false }
  }

  @Test(arguments: [200, 201, 202, 409])
  func `an answer that adds up settles the batch`(status: Int) {
    let body = #"{"batch":"b1-00","accepted":1,"duplicates":2,"refused":[]}"#
    #expect(verdict(status, body) == .settled([]))
    let partly = #"""
      {"batch":"b1-00","accepted":2,"duplicates":0,
       "refused":[{"id":"r1-7","code":"Conflict","reason":"has another quantity"}]}
      """#
    let refusal = CommerceAnswer.Refusal(
      id: "r1-7", code: "Conflict", reason: "has another quantity")
    #expect(verdict(status, partly) == .settled([refusal]))
  }

  @Test(arguments: [
    "", "{", "null", "[]", "<html>", "\u{0}\u{1}", #"{"batch":"b1-00","accepted":1,"dupl"#,
    #"{"batch":"b1-00","accepted":1,"duplicates":1,"refused":[]}"#,
    #"{"batch":"b1-00","accepted":4,"duplicates":0,"refused":[]}"#,
    #"{"batch":"b1-00","accepted":-1,"duplicates":4,"refused":[]}"#,
    #"{"batch":"b1-00","accepted":3.0,"duplicates":0,"refused":[]}"#,
    #"{"batch":"b1-01","accepted":3,"duplicates":0,"refused":[]}"#,
    #"{"batch":"b1-00","accepted":3,"duplicates":0}"#,
    #"{"batch":"b1-00","accepted":1,"duplicates":0,"refused":["#
      + #"{"id":"a","code":"","reason":""},{"id":"a","code":"","reason":""}]}"#,
  ])
  func `whatever does not add up is no answer, also with a good status`(body: String) {
    #expect(again(verdict(200, body)))
  }

  @Test(arguments: [400, 409, 413, 422])
  func `a batch that is refused as a whole is divided`(status: Int) {
    let body = #"{"batch":"b1-00","code":"BadMeter","reason":"no such meter"}"#
    #expect(verdict(status, body) == .divided(code: "BadMeter", reason: "no such meter"))
  }

  @Test func `only 413 divides without naming the batch`() {
    #expect(verdict(413, "<html>") == .divided(code: "TooLarge", reason: "answers 413"))
    for status in [400, 409, 422] { #expect(again(verdict(status, "<html>")), "\(status)") }
  }

  @Test(arguments: [401, 403, 410])
  func `a registration that is not taken refuses no record`(status: Int) {
    guard case .unregistered = verdict(status) else {
      Issue.record("\(verdict(status))")
      return
    }
  }

  @Test(arguments: [301, 302, 307, 404, 405, 408, 425, 429, 500, 502, 503, 504, 100, 599])
  func `all else is tried again`(status: Int) {
    #expect(again(verdict(status, location: "https://elsewhere.example")))
  }

  @Test func `a wish to come later is heard in seconds and as a date`() {
    #expect(verdict(429, retryAfter: "7") == .again("answers 429", after: .seconds(7)))
    #expect(
      verdict(503, retryAfter: "Mon, 23 Nov 2026 15:02:00 GMT")
        == .again("answers 503", after: .seconds(120)))
    #expect(
      verdict(503, retryAfter: "Mon, 23 Nov 2026 14:00:00 GMT")
        == .again("answers 503", after: .zero))
    for other in ["-1", "soon", "Mon, 99 Nov 2026 15:02:00 GMT", "1e9", ""] {
      #expect(verdict(503, retryAfter: other) == .again("answers 503", after: nil), "\(other)")
    }
    #expect(
      verdict(429, retryAfter: "999999999999")
        == .again("answers 429", after: BridgeLimits.retryAfterMax))
  }

  @Test func `the words of the service are kept up to a limit`() {
    let long = String(repeating: "x", count: BridgeLimits.reasonBytesMax + 1)
    let body = #"{"batch":"b1-00","code":"C","reason":"\#(long)"}"#
    #expect(verdict(422, body) == .divided(code: "C", reason: String(long.dropLast())))
  }
}
