import StackmeterCore
import StackmeterStore
import StackmeterWire
import Testing

@testable import QueryServer

@Suite struct PageTokenTests {
  private let tokens = PageTokens(key: Array(repeating: 7, count: 32))
  private let walk = UsageWalk(
    cursor: UsageCursor(window: 498_736, cell: 7, series: -3, usage: .max),
    openWindow: Hour(index: 498_740), finalBefore: Instant(seconds: -1), end: Hour(index: .max))
  private let request = ListUsageRequest(
    caller: .tenant(subscriptions: ["a"]), windows: Hour(index: 1)..<Hour(index: 9),
    granularity: .hourly, subscriptions: ["a"], meters: ["cpu"])

  @Test func `a token gives its walk back for the same question and caller`() {
    var again = request
    again.pageSize = 3
    again.pageToken = tokens.token(for: walk, of: request)
    #expect(tokens.walk(again.pageToken, of: again) == walk)
    #expect(again.pageToken.utf8.allSatisfy { $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "=") })
  }

  @Test func `a token opens nothing for another caller or question`() {
    let token = tokens.token(for: walk, of: request)
    for change in [
      { $0.caller = .operator }, { $0.caller = .tenant(subscriptions: ["a", "b"]) },
      { $0.caller = .provider("a") }, { $0.caller = .reporter(sources: ["a"]) },
      { $0.windows = Hour(index: 1)..<Hour(index: 10) }, { $0.granularity = .daily },
      { $0.subscriptions = [] }, { $0.meters = ["disk"] }, { $0.withoutResources = true },
    ] as [(inout ListUsageRequest) -> Void] {
      var other = request
      change(&other)
      #expect(tokens.walk(token, of: other) == nil)
    }
    #expect(PageTokens(key: Array(repeating: 8, count: 32)).walk(token, of: request) == nil)
  }

  @Test func `a token with any one bit changed is refused, and so is any other text`() {
    let bytes = Base64URL.bytes(tokens.token(for: walk, of: request))!
    for bit in 0..<bytes.count * 8 {
      var changed = bytes
      changed[bit / 8] ^= 1 << (bit % 8)
      #expect(tokens.walk(Base64URL.text(changed), of: request) == nil)
    }
    for text in ["", "A", "=", "é", String(repeating: "A", count: 100_000)] {
      #expect(tokens.walk(text, of: request) == nil)
    }
  }
}
