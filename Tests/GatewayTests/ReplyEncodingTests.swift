import GRPCCore
import HTTPTypes
import StackmeterCompression
import StackmeterCore
import StackmeterWire
import Testing

@testable import GatewayServer

/// ETags, compression, links and exports, at the door of a gateway that listens.
@Suite(.timeLimit(.minutes(1))) struct ReplyEncodingTests {
  private static let open = Instant(parsing: "2026-11-23T15:00:00Z")!.hour

  private static func page(_ count: Int, next: String = "") -> ListUsageResponse {
    ListUsageResponse(
      aggregates: (0..<count).map { number in
        UsageAggregate(
          series: Series(subscription: "s", meter: "cpu", resource: Resource(uri: "/r/\(number)")),
          usageStart: open.start, usageEnd: open.end, quantity: Quantity(1), window: open,
          isProvisional: false)
      }, nextPageToken: next, openWindow: open)
  }

  @Test func `an answer about closed windows has an ETag, and is not sent to who has it`()
    async throws
  {
    try await withGateway { gateway in
      let target = "/v1/usage?from=2026-11-23T10:00:00Z&to=2026-11-23T15:00:00Z"
      gateway.query.with {
        $0.pages = [Self.page(20), Self.page(20), Self.page(20), Self.page(21)]
      }
      let first = try await gateway.get(target)
      let tag = try #require(first.headers["etag"])
      #expect(first.headers["cache-control"] == "private, no-cache")
      #expect(first.headers["vary"] == "Accept-Encoding, Authorization")
      func again(_ headers: String...) async throws -> HTTPAnswer {
        try await gateway.send("GET", target, token: gateway.operatorToken, headers: headers)
      }
      let same = try await again("If-None-Match: \"x\", W/\(tag)")
      #expect(same.status == 304 && same.text == "" && same.headers["etag"] == tag)
      #expect(same.headers["content-length"] == nil && same.headers["content-type"] == nil)
      let packed = try await again("If-None-Match: \(tag)", "Accept-Encoding: gzip")
      #expect(packed.status == 200 && packed.headers["etag"] != tag)
      let other = try await again("If-None-Match: \(tag)")
      #expect(other.status == 200 && other.headers["etag"] != tag)
    }
  }

  @Test func `an answer that may change has none, and is kept by nobody`() async throws {
    try await withGateway { gateway in
      for target in [
        "/v1/usage", "/v1/usage?to=2026-11-23T15:00:00Z&by=usage", "/v1/meters",
        "/v1/usage/summary",
      ] {
        gateway.query.with { $0.pages = [Self.page(1)] }
        let answer = try await gateway.get(target)
        #expect(answer.status == 200 && answer.headers["etag"] == nil, "\(target)")
        #expect(answer.headers["cache-control"] == "no-store")
      }
      gateway.query.with { $0.pages = [Self.page(1)] }
      let known = try await gateway.get("/v1/usage?by=usage&asOf=2026-11-23T15:30:00Z")
      #expect(known.headers["etag"] != nil)
      #expect(known["asOf"] == .string("2026-11-23T15:00:00Z"))
      #expect(known["to"] == .string("2026-11-23T15:00:00Z"))
      #expect(known["value.0.final"] == nil && known["value.0.lastWindow"] != nil)
      #expect(gateway.query.with { $0.usageRequests.last?.asOf } == Self.open)
    }
  }

  @Test func `a client that takes gzip gets it, and what it unpacks is the answer`() async throws {
    try await withGateway { gateway in
      gateway.query.with { $0.pages = [Self.page(100), Self.page(100), Self.page(1)] }
      let plain = try await gateway.get("/v1/usage")
      #expect(plain.headers["content-encoding"] == nil)
      #expect(plain.headers["vary"] == "Accept-Encoding")
      let packed = try await gateway.send(
        "GET", "/v1/usage", token: gateway.operatorToken,
        headers: ["Accept-Encoding: br, gzip;q=0.5"])
      #expect(packed.headers["content-encoding"] == "gzip")
      let bytes = try GzipDecoder.decode(packed.body, GzipLimits(outputBytesMax: 1 << 20))
      #expect(bytes == plain.body && packed.body.count < plain.body.count / 4)
      // What is small is not worth it.
      let small = try await gateway.send(
        "GET", "/v1/usage", token: gateway.operatorToken, headers: ["Accept-Encoding: gzip"])
      #expect(small.headers["content-encoding"] == nil)
    }
  }

  @Test(
    arguments: [
      ([], false), (["gzip"], true), (["GZIP"], true), (["x-gzip"], true), (["*"], true),
      (["identity"], false), (["gzip;q=0"], false), (["gzip; q=0.000, *"], false),
      (["*;q=0, gzip"], true), (["deflate", "gzip;q=0.1"], true), (["br, *;q=0"], false),
    ] as [([String], Bool)])
  func `whether a client takes gzip is what it says`(fields: [String], isTaken: Bool) {
    #expect(ReplyEncoding.acceptsGzip(fields) == isTaken)
  }

  @Test func `a page that others follow links to the next`() async throws {
    try await withGateway { gateway in
      gateway.query.with { $0.pages = [Self.page(1, next: "t+1")] }
      let usage = try await gateway.get("/v1/usage?meter=a%26b&meter=c&pageToken=old")
      #expect(
        usage.headers["link"]
          == "</v1/usage?meter=a%26b&meter=c&from=2026-11-22T16%3a00%3a00Z&"
          + "pageToken=t%2b1&to=2026-11-23T16%3a00%3a00Z>; rel=\"next\"")
      let subscriptions = try await gateway.get("/v1/subscriptions?pageSize=1")
      #expect(
        subscriptions.headers["link"] == "</v1/subscriptions?pageSize=1&after=next>; rel=\"next\"")
      #expect(try await gateway.get("/v1/windows").headers["link"] == nil)
      gateway.query.with { $0.windows = [ReportingWindow(hour: Self.open, isClosed: true)] }
      let windows = try await gateway.get("/v1/windows")
      #expect(windows.headers["link"]?.hasPrefix("</v1/windows?before=2026-11-23T15") == true)
      #expect(windows["nextBefore"] == .string("2026-11-23T15:00:00Z"))
    }
  }

  @Test func `what query refuses is said by the name of the parameter`() async throws {
    try await withGateway { gateway in
      gateway.query.with {
        $0.failure = RPCError(
          code: .invalidArgument,
          message: "as_of_window: must not be behind 2026-11-23T15:00:00Z: why")
      }
      let answer = try await gateway.get("/v1/usage?asOf=2026-11-24")
      #expect(answer.status == 400 && answer["errors.0.field"] == .string("asOf"))
      #expect(
        answer["errors.0.message"] == .string("must not be behind 2026-11-23T15:00:00Z: why"))
    }
  }

  @Test func `a provider's answers are lasting for nobody, as its tenants may change`()
    async throws
  {
    try await withGateway { gateway in
      let token = try gateway.addKey(role: .provider, provider: "P1")
      gateway.query.with { $0.windows = [ReportingWindow(hour: Self.open, isClosed: true)] }
      for target in [
        "/v1/usage?from=2026-11-23T10:00:00Z&to=2026-11-23T15:00:00Z",
        "/v1/usage?by=usage&asOf=2026-11-23T15:00:00Z", "/v1/windows",
        "/v1/usage/summary?asOf=2026-11-23T15:00:00Z", "/v1/exports/usage",
      ] {
        for (token, isLasting) in [(token, false), (gateway.operatorToken, true)] {
          gateway.query.with { $0.pages = [Self.page(1)] }
          let answer = try await gateway.send("GET", target, token: token)
          #expect(answer.status == 200, "\(target): \(answer.text)")
          #expect((answer.headers["etag"] != nil) == isLasting, "\(target)")
          #expect(
            answer.headers["cache-control"] == (isLasting ? "private, no-cache" : "no-store"))
        }
      }
    }
  }
}
