import StackmeterCore
import StackmeterTesting
import Testing

@testable import GatewayServer

@Suite(.timeLimit(.minutes(1))) struct RateLimitTests {
  private let clock = SimulatedClock(RunningGateway.start)

  private func limiter(query: Int, ingest: Int = 0) -> RateLimiter {
    RateLimiter(
      query: RateLimit(requests: query), ingest: RateLimit(requests: ingest), clock: clock)
  }

  @Test func `a bucket is emptied at once and fills evenly`() {
    let limiter = limiter(query: 60)
    for left in (0..<60).reversed() {
      let standing = limiter.take(.query, of: "a")
      #expect(standing?.isAllowed == true)
      #expect(standing?.remaining == left)
    }
    let refused = limiter.take(.query, of: "a")
    #expect(refused?.isAllowed == false)
    #expect(refused?.seconds == 1)
    clock.advance(by: .milliseconds(999))
    #expect(limiter.take(.query, of: "a")?.isAllowed == false)
    clock.advance(by: .milliseconds(1))
    #expect(limiter.take(.query, of: "a")?.isAllowed == true)
    #expect(limiter.take(.query, of: "a")?.isAllowed == false)
    clock.advance(by: .seconds(3600))
    #expect(limiter.take(.query, of: "a")?.remaining == 59)
  }

  @Test(arguments: [1, 7, 60, 6000, 10_000_000])
  func `who waits as long as told is not refused again`(requests: Int) {
    let limiter = limiter(query: requests)
    var standing = limiter.take(.query, of: "a")
    for _ in 0..<min(requests, 10_000) { standing = limiter.take(.query, of: "a") }
    guard let standing, !standing.isAllowed else { return }
    clock.advance(by: .seconds(standing.seconds))
    #expect(limiter.take(.query, of: "a")?.isAllowed == true)
  }

  @Test func `kinds and callers have buckets of their own, and 0 is no limit`() {
    let limiter = limiter(query: 1, ingest: 1)
    #expect(limiter.take(.query, of: "a")?.isAllowed == true)
    #expect(limiter.take(.query, of: "a")?.isAllowed == false)
    #expect(limiter.take(.ingest, of: "a")?.isAllowed == true)
    #expect(limiter.take(.query, of: "b")?.isAllowed == true)
    let unlimited = self.limiter(query: 0)
    #expect(unlimited.take(.query, of: "a") == nil)
  }

  @Test func `a clock that is set back gives nothing away`() {
    let limiter = limiter(query: 1)
    #expect(limiter.take(.query, of: "a")?.isAllowed == true)
    clock.jump(by: .seconds(-3600))
    clock.jump(by: .seconds(7200))
    #expect(limiter.take(.query, of: "a")?.isAllowed == false)
  }

  @Test func `so many callers are remembered at most`() {
    let limiter = limiter(query: 1)
    for number in 0...RateLimiter.callersMax {
      #expect(limiter.take(.query, of: "\(number)")?.isAllowed == true)
    }
    #expect(limiter.take(.query, of: "\(RateLimiter.callersMax)")?.isAllowed == false)
  }

  @Test func `too many requests are told when to come again`() async throws {
    try await withGateway(
      configure: { configuration, _ in
        configuration.queryLimit = RateLimit(requests: 3)
        configuration.ingestLimit = RateLimit(requests: 1)
      },
      { gateway in
        for left in [2, 1, 0] {
          let answer = try await gateway.get("/v1/meters")
          #expect(answer.status == 200)
          #expect(answer.headers["ratelimit-policy"] == "\"query\";q=3;w=60")
          #expect(answer.headers["ratelimit"]?.hasPrefix("\"query\";r=\(left);t=") == true)
        }
        let refused = try await gateway.get("/v1/usage")
        #expect(refused.status == 429)
        #expect(refused.headers["retry-after"] == "20")
        #expect(refused.headers["ratelimit"] == "\"query\";r=0;t=20")
        #expect(
          refused["type"]
            == .string("https://iana.org/assignments/http-problem-types#quota-exceeded"))
        #expect(refused["violated-policies.0"] == .string("query"))
        let azure = try await gateway.get(
          "/subscriptions/x/providers/Microsoft.Commerce/UsageAggregates")
        #expect(azure.status == 429)
        #expect(azure["error.code"] == .string("TooManyRequests"))
        #expect(azure.headers["x-ms-ratelimit-remaining-subscription-reads"] == "0")
        // Events have a bucket of their own, and so has everybody else. Health has none.
        let events = try await gateway.send(
          "POST", "/v1/events", token: gateway.operatorToken,
          headers: ["Content-Type: application/json"], body: Array("[]".utf8))
        #expect(events.status == 202)
        #expect(events.headers["ratelimit-policy"] == "\"ingest\";q=1;w=60")
        #expect(try await gateway.getAsTenant("/v1/meters").status == 200)
        #expect(try await gateway.get("/healthz").status == 200)
        gateway.clock.advance(by: .seconds(20))
        let later = try await gateway.get("/v1/meters")
        #expect(later.status == 200)
        #expect(later.headers["x-ms-ratelimit-remaining-subscription-reads"] == nil)
        gateway.clock.advance(by: .seconds(60))
        let reads = try await gateway.get("/subscriptions?api-version=2016-06-01")
        #expect(reads.status == 200)
        #expect(reads.headers["x-ms-ratelimit-remaining-subscription-reads"] == "2")
      })
  }
}
