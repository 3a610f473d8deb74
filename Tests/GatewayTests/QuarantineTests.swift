import GRPCCore
import StackmeterCore
import StackmeterWire
import Testing

@Suite(.timeLimit(.minutes(1))) struct QuarantineTests {
  private static let entry = QuarantineEntry(
    number: 7, refusedTime: Instant(parsing: "2026-11-23T15:00:00Z")!,
    refusal: Refusal(.unknownMeter, field: "series.meter", "is unknown"),
    event: UsageEvent(
      id: "e", source: "vm",
      series: Series(
        subscription: "s", meter: "disk",
        resource: Resource(uri: "/r", location: "l", tags: "{\"a\":\"b\"}", additionalInfo: "i")),
      usageStart: Instant(parsing: "2026-11-23T14:00:00Z")!,
      usageEnd: Instant(parsing: "2026-11-23T14:01:00Z")!, quantity: Quantity(attos: 5)!),
    resolution: QuarantineResolution(
      .redriven(position: 9), time: Instant(parsing: "2026-11-23T16:00:00Z")!))

  private static let entryText = #"""
    {"number":7,"state":"redriven","position":9,"resolvedTime":"2026-11-23T16:00:00Z",\#
    "refusedTime":"2026-11-23T15:00:00Z","reason":"UnknownMeter","field":"series.meter",\#
    "message":"is unknown","event":{"id":"e","source":"vm","subscriptionId":"s",\#
    "meterId":"disk","resourceUri":"/r","location":"l","tags":{"a":"b"},\#
    "additionalInfo":"i","usageStart":"2026-11-23T14:00:00Z",\#
    "usageEnd":"2026-11-23T14:01:00Z","quantity":"0.000000000000000005"}}
    """#

  @Test func `what was refused is listed in pages, and one entry is shown`() async throws {
    try await withGateway { gateway in
      gateway.collector.with {
        $0.entries = [Self.entry]
        $0.hasMoreEntries = true
      }
      let page = try await gateway.get("/v1/quarantine")
      #expect(page.status == 200 && page.text == #"{"value":[\#(Self.entryText)],"nextAfter":77}"#)
      gateway.collector.with { $0.hasMoreEntries = false }
      let last = try await gateway.get(
        "/v1/quarantine?reason=UnknownMeter&reason=TooOld&source=vm&subscription=S"
          + "&from=2026-11-23&to=2026-11-23T16:00:00%2B01:00&includeResolved=true&after=77&pageSize=9"
      )
      #expect(last.text == #"{"value":[\#(Self.entryText)]}"#)
      let filter = QuarantineFilter(
        reasons: [.unknownMeter, .tooOld], source: "vm", subscription: "S",
        from: Instant(parsing: "2026-11-23T00:00:00Z")!,
        to: Instant(parsing: "2026-11-23T15:00:00Z")!)
      #expect(
        gateway.collector.with { $0.listings } == [
          ListQuarantineRequest(afterNumber: 0, pageSize: 0),
          ListQuarantineRequest(
            afterNumber: 77, pageSize: 9, filter: filter, includeResolved: true),
        ])
      let shown = try await gateway.get("/v1/quarantine/7")
      #expect(shown.status == 200 && shown.text == Self.entryText)
      for path in ["/v1/quarantine/8", "/v1/quarantine/x", "/v1/quarantine/redrive"] {
        #expect(try await gateway.get(path).status == 404)
      }
    }
  }

  @Test func `entries are redriven and discarded by number or by filter`() async throws {
    try await withGateway { gateway in
      gateway.collector.with {
        $0.resolved = [
          QuarantineResult(number: 1, state: .resolved(.redriven(position: 3))),
          QuarantineResult(
            number: 2, state: .open, refusal: Refusal(.tooOld, field: "usage_start", "is old")),
          QuarantineResult(number: 3, state: .absent),
        ]
      }
      let answer = try await gateway.send(
        "POST", "/v1/quarantine/redrive?number=1&number=2&number=3", token: gateway.operatorToken)
      #expect(
        answer.text
          == #"""
          {"value":[{"number":1,"state":"redriven","position":3},\#
          {"number":2,"state":"open","reason":"TooOld","field":"usage_start",\#
          "message":"is old"},{"number":3,"state":"absent"}]}
          """#)
      gateway.collector.with { $0.hasMoreEntries = true }
      let all = try await gateway.send(
        "POST", "/v1/quarantine/discard?all=true&source=vm&after=5&limit=6",
        token: gateway.operatorToken)
      #expect(all.status == 200 && all.text.hasSuffix(#""nextAfter":77}"#))
      #expect(gateway.collector.with { $0.redriven } == [.numbers([1, 2, 3])])
      #expect(
        gateway.collector.with { $0.discarded }
          == [.matching(QuarantineFilter(source: "vm"), after: 5, limit: 6)])
    }
  }

  @Test(arguments: [
    ("GET", "?reason=Ugly", "reason"), ("GET", "?after=x", "after"),
    ("GET", "?after=%2B1", "after"),
    ("GET", "?from=soon", "from"), ("GET", "?includeResolved=yes", "includeResolved"),
    ("GET", "?pageSize=1001", "pageSize"), ("GET", "?source=a&source=b", "source"),
    ("POST", "/redrive", "number"), ("POST", "/redrive?number=", "number"),
    ("POST", "/redrive?number=1&all=true", "number"), ("POST", "/redrive?number=-1", "number"),
    ("POST", "/redrive?all=true&limit=0", "limit"), ("POST", "/discard?all=false", "number"),
    ("POST", "/discard?number=1&source=vm", "all"),
    ("POST", "/discard?everything=true", "everything"),
  ])
  func `a wrong parameter is named, and nothing is done`(
    method: String, target: String, field: String
  ) async throws {
    try await withGateway { gateway in
      let answer = try await gateway.send(
        method, "/v1/quarantine\(target)", token: gateway.operatorToken)
      #expect(answer.status == 400 && answer.text.contains("\(field): "), "\(answer.text)")
      let done = gateway.collector.with { $0.redriven + $0.discarded }
      #expect(done == [] && gateway.collector.with { $0.listings.isEmpty })
    }
  }

  @Test func `the quarantine is for operators`() async throws {
    try await withGateway { gateway in
      for (method, path) in [
        ("GET", ""), ("GET", "/7"), ("POST", "/redrive?all=true"), ("POST", "/discard?all=true"),
      ] {
        let answer = try await gateway.send(
          method, "/v1/quarantine\(path)", token: gateway.tenantToken)
        #expect(answer.status == 403)
      }
      #expect(gateway.collector.with { $0.redriven + $0.discarded } == [])
    }
  }
}
