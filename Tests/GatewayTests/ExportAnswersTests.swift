import GRPCCore
import Glibc
import HTTPTypes
import StackmeterCompression
import StackmeterCore
import StackmeterTesting
import StackmeterWire
import Testing

@testable import GatewayServer

/// Exports, at the door of a gateway that listens.
@Suite(.timeLimit(.minutes(1))) struct ExportAnswersTests {
  private static let open = Instant(parsing: "2026-11-23T15:00:00Z")!.hour
  private static let windows = Hour(index: open.index - 2)..<open

  private static func part(_ text: String, rows: UInt64, next: String = "") -> ExportUsageResponse {
    ExportUsageResponse(
      data: Array(text.utf8), rows: rows, nextPageToken: next, windows: windows)
  }

  @Test func `an export is streamed part by part, with its windows before and its rows behind it`()
    async throws
  {
    try await withGateway { gateway in
      gateway.query.with {
        $0.exports = [Self.part("a\r\n", rows: 1, next: "t"), Self.part("b\r\n", rows: 2)]
      }
      let target =
        "/v1/exports/usage?format=csv&granularity=hourly&afterWindow=2026-11-23T12:00:00Z&tag=env"
        + "&end=true&bom=true"
      let answer = try await gateway.get(target)
      #expect(answer.status == 200)
      #expect(answer.text.contains("a\r\n") && answer.text.contains("b\r\n"))
      #expect(answer.headers["transfer-encoding"] == "chunked")
      #expect(answer.text.lowercased().contains("stackmeter-rows: 2"))
      #expect(answer.headers["stackmeter-from"] == "2026-11-23T13:00:00Z")
      #expect(answer.headers["stackmeter-to"] == "2026-11-23T15:00:00Z")
      #expect(
        answer.headers["content-disposition"]
          == "attachment; filename=\"stackmeter-usage-2026112313-2026112315.csv\"")
      let requests = gateway.query.with { $0.exportRequests }
      #expect(requests.map(\.pageToken) == ["", "t"])
      #expect(requests[0].from == Hour(index: Self.open.index - 2))
      #expect(requests[0].series.tags == [TagSelection(name: "env", value: nil)])
      #expect(requests[0].hasEndRecord && requests[0].hasByteOrderMark)
      // The same windows need not be read again.
      gateway.query.with { $0.exports = [Self.part("a\r\n", rows: 1, next: "t")] }
      let known = try await gateway.send(
        "GET", target, token: gateway.operatorToken,
        headers: ["If-None-Match: \(answer.headers["etag"] ?? "")"])
      #expect(known.status == 304)
      gateway.query.with { $0.exports = [Self.part("a\r\n", rows: 1)] }
      let head = try await gateway.send("HEAD", target, token: gateway.operatorToken)
      #expect(head.status == 200 && head.headers["stackmeter-to"] == "2026-11-23T15:00:00Z")
    }
  }

  @Test(arguments: [
    ("format=xml", "format"), ("granularity=monthly", "granularity"),
    ("from=2026-11-22&afterWindow=2026-11-22", "afterWindow"),
    ("from=2026-11-22&restatedSince=2026-11-22", "restatedSince"),
    ("granularity=daily&from=2026-11-22T01:00:00Z", "from"), ("bom=yes", "bom"),
    ("bom=true&format=ndjson", "bom"), ("end=1", "end"), ("pageToken=t", "pageToken"),
    ("subscription=", "subscription"),
  ])
  func `a bad parameter of an export is named`(query: String, field: String) async throws {
    try await withGateway { gateway in
      let answer = try await gateway.get("/v1/exports/usage?\(query)")
      #expect(answer.status == 400 && answer["errors.0.field"] == .string(field), "\(answer.text)")
    }
  }

  @Test func `a tenant who names a foreign subscription gets the answer of an absent one`()
    async throws
  {
    try await withGateway { gateway in
      let answer = try await gateway.getAsTenant("/v1/exports/usage?subscription=other")
      #expect(answer.status == 404 && answer["code"] == .string("SubscriptionNotFound"))
      #expect(gateway.query.with { $0.exportRequests } == [])
    }
  }

  /// What the chunks of an answer have in them.
  private static func content(_ chunked: [UInt8]) throws -> [UInt8] {
    var (rest, bytes) = (chunked[...], [UInt8]())
    while true {
      let line = rest.prefix { $0 != 0x0D }
      let count = try #require(Int(String(decoding: line, as: UTF8.self), radix: 16))
      guard count > 0 else { return bytes }
      rest = rest.dropFirst(line.count + 2)
      bytes += rest.prefix(count)
      rest = rest.dropFirst(count + 2)
    }
  }

  @Test func `an export is compressed while it is streamed, and unpacks to the whole file`()
    async throws
  {
    try await withGateway { gateway in
      let parts = (0..<6).map { String(repeating: "part \($0)\r\n", count: 4000) }
      func answer(_ headers: String...) async throws -> HTTPAnswer {
        gateway.query.with { script in
          script.exports = parts.enumerated().map { index, part in
            Self.part(part, rows: UInt64(index), next: index < 5 ? "t" : "")
          }
        }
        return try await gateway.send(
          "GET", "/v1/exports/usage", token: gateway.operatorToken, headers: headers)
      }
      let plain = try await answer()
      let packed = try await answer("Accept-Encoding: gzip")
      #expect(try Self.content(plain.body) == Array(parts.joined().utf8))
      #expect(packed.headers["content-encoding"] == "gzip")
      #expect(packed.headers["etag"]?.hasSuffix("-gzip\"") == true)
      #expect(packed.body.count < plain.body.count / 10)
      let bytes = try GzipDecoder.decode(
        try Self.content(packed.body), GzipLimits(outputBytesMax: 1 << 20))
      #expect(bytes == Array(parts.joined().utf8))
    }
  }

  @Test func `a client that does not take its export loses it, and its place is free again`()
    async throws
  {
    let limits = ConnectionLimits(writeTimeMax: .seconds(2))
    try await withGateway(limits: limits) { gateway in
      let part = Self.part(String(repeating: "x", count: 1 << 20), rows: 1, next: "t")
      gateway.query.with { $0.exports = Array(repeating: part, count: 400) }
      let request = Array(
        ("GET /v1/exports/usage HTTP/1.1\r\nHost: a\r\n"
          + "Authorization: Bearer \(gateway.operatorToken)\r\n\r\n").utf8)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<GatewayLimits.exportsMax {
          group.addTask {
            try await withUnread(port: gateway.port, request) {
              // Until the gateway has ended all of them.
              _ = try await eventually {
                try await gateway.get("/metrics").text.contains(
                  "_dropped_total{reason=\"slow_reader\"} \(GatewayLimits.exportsMax)\n")
                  ? true : nil
              }
            }
          }
        }
        _ = try await eventually {
          gateway.query.with { script in
            script.exportRequests.count { $0.pageToken.isEmpty } == GatewayLimits.exportsMax
          } ? true : nil
        }
        let refused = try await gateway.get("/v1/exports/usage")
        #expect(refused.status == 429 && refused.headers["retry-after"] == "5")
        #expect(refused["code"] == .string("TooManyRequests"))
        try await group.waitForAll()
      }
      gateway.query.with { $0.exports = [] }
      _ = try await eventually {
        try await gateway.get("/v1/exports/usage").status == 200 ? true : nil
      }
      // Nobody makes parts for a client that has gone.
      #expect(gateway.query.with { $0.exportRequests.count } < 100)
    }
  }

  @Test func `an export that takes longer than a connection may rest is not cut off`()
    async throws
  {
    try await withGateway(limits: ConnectionLimits(idleTimeMax: .milliseconds(500))) { gateway in
      gateway.query.with { script in
        script.exportTime = .milliseconds(100)
        script.exports = (1...8).map {
          Self.part("\($0)\n", rows: UInt64($0), next: $0 < 8 ? "t" : "")
        }
      }
      let answer = try await gateway.get("/v1/exports/usage?format=ndjson")
      #expect(answer.text.lowercased().contains("stackmeter-rows: 8"))
    }
  }

  @Test func `an export that fails on the way has no end`() async throws {
    try await withGateway { gateway in
      gateway.query.with { $0.exports = [Self.part("a\r\n", rows: 1, next: "t")] }
      let request =
        "GET /v1/exports/usage HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        + "Authorization: Bearer \(gateway.operatorToken)\r\n\r\n"
      // The second part is refused as soon as the first is out.
      gateway.query.with { $0.failureAfterExports = .init(code: .unavailable, message: "away") }
      let text = String(
        decoding: try await conversation(port: gateway.port, Array(request.utf8)), as: UTF8.self)
      #expect(text.hasPrefix("HTTP/1.1 200 "))
      #expect(!text.contains("\r\n0\r\n") && !text.lowercased().contains("stackmeter-rows: "))
    }
  }

  @Test func `what operators and providers read of others' usage is written down`() async throws {
    let configure = { (configuration: inout GatewayConfiguration, directory: String) in
      configuration.auditDirectory = directory + "/audit"
    }
    try await withGateway(configure: configure) { gateway in
      let provider = try gateway.addKey(role: .provider, provider: "P1")
      let targets = [
        "/v1/exports/usage", "/v1/usage?by=usage", "/v1/usage/summary?groupBy=owner&top=1",
      ]
      for target in targets {
        for token in [gateway.operatorToken, provider, gateway.tenantToken] {
          #expect(try await gateway.send("GET", target, token: token).status == 200)
        }
      }
      let path = gateway.directory + "/audit/audit.jsonl"
      let file = try #require(fopen(path, "r"))
      defer { fclose(file) }
      var bytes = [UInt8](repeating: 0, count: 1 << 16)
      let count = fread(&bytes, 1, bytes.count, file)
      let lines = String(decoding: bytes.prefix(count), as: UTF8.self).split(separator: "\n")
      for target in targets {
        let route = "GET \(target.prefix { $0 != "?" })\""
        let roles = lines.filter { $0.contains(route) }.map { line in
          ["operator", "provider", "tenant"].filter { line.contains("\"\($0)\"") }
        }
        #expect(roles == [["operator"], ["provider"]], "\(target): \(lines)")
      }
    }
  }
}
