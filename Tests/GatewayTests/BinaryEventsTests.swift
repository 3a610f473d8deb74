import StackmeterCore
import Testing

/// The attributes of an event as headers.
private let attributes = [
  "ce-specversion: 1.0", "ce-type: stackmeter.usage.v1", "ce-id: a", "ce-source: cloud",
  "ce-subject: /subscriptions/abc", "ce-time: 2026-11-23T15:00:00Z",
]
private let data = #"{"meter":"cpu","quantity":"0.000186920166015625","resourceUri":"/r"}"#

extension RunningGateway {
  fileprivate func post(_ headers: [String], _ body: String = data) async throws -> HTTPAnswer {
    try await send(
      "POST", "/v1/events", token: operatorToken, headers: headers, body: Array(body.utf8))
  }

  fileprivate var reported: [UsageEvent] { collector.with { $0.calls }.flatMap { $0 } }
}

/// CloudEvents' binary mode at a real socket.
@Suite(.timeLimit(.minutes(1))) struct BinaryEventsTests {
  @Test(arguments: [
    [], ["Content-Type: application/json"], ["content-type: Application/JSON; charset=utf-8"],
    ["Content-Type: application/vnd.usage+json"], ["Content-Type: text/json"],
  ])
  func `attributes are headers and the body is the data`(type: [String]) async throws {
    try await withGateway { gateway in
      let answer = try await gateway.post(attributes + type)
      #expect(answer.status == 202, "\(answer.text)")
      #expect(answer.text == #"{"accepted":1,"duplicates":0,"parked":0,"rejected":[]}"#)
      let time = Instant(parsing: "2026-11-23T15:00:00Z")!
      let expected = UsageEvent(
        id: "a", source: "cloud",
        series: Series(subscription: "abc", meter: "cpu", resource: Resource(uri: "/r")),
        usageStart: time, usageEnd: time,
        quantity: try Quantity(parsing: "0.000186920166015625"))
      #expect(gateway.reported == [expected])
    }
  }

  @Test(arguments: [
    ("plain", "plain"), ("sub%201%20%C3%A9", "sub 1 é"), ("two words", "two words"),
    ("%2525", "%25"), (#""quoted""#, "quoted"), (#""a \" b""#, #"a " b"#),
    (#""a\\b" c"#, #"a\b c"#), ("%22q%22", #""q""#), ("%E2%82%ac", "€"),
  ])
  func `a header's value is unquoted and percent-decoded once`(
    header: String, id: String
  ) async throws {
    try await withGateway { gateway in
      let answer = try await gateway.post(
        attributes.filter { !$0.hasPrefix("ce-id") } + ["CE-ID: \(header)"])
      #expect(answer.status == 202, "\(answer.text)")
      #expect(gateway.reported.map(\.id) == [id])
    }
  }

  @Test(arguments: [
    "ce-id: %", "ce-id: %4", "ce-id: %zz", "ce-id: %FF", "ce-id: %C3%28", "ce-id: a%00",
    "ce-id: a%0Ab", "ce-id: é", #"ce-id: "open"#, #"ce-id: "end\"#, "ce-: 1", "ce-a_b: 1",
    "ce-data: {}", "ce-datacontenttype: application/json", "ce-subject: 1\r\nce-subject: 1",
  ])
  func `a header that cannot be read is refused by its name`(header: String) async throws {
    try await withGateway { gateway in
      let answer = try await gateway.post(
        attributes.filter { !$0.hasPrefix(header.prefix { $0 != ":" } + ":") } + [header])
      #expect(answer.status == 400, "\(answer.text)")
      #expect(answer["code"] == .string("Malformed"))
      #expect(answer["errors.0.field"]?.string?.hasPrefix("ce-") == true, "\(answer.text)")
      #expect(gateway.reported.isEmpty)
    }
  }

  @Test func `what is missing is named as in the other modes`() async throws {
    try await withGateway { gateway in
      let answer = try await gateway.post(["ce-id: a"], "{}")
      #expect(answer.status == 400)
      let fields = (answer["errors"]?.array ?? []).compactMap {
        JSONObject($0, path: "")?["field"]?.string
      }
      #expect(fields.contains("specversion") && fields.contains("data.meter"))
      #expect(try await gateway.post(attributes, "").status == 400)
      #expect(try await gateway.post(attributes, "[]").status == 400)
      #expect(try await gateway.post(attributes, "{").status == 400)
    }
  }

  @Test(arguments: [
    "application/xml", "text/plain", "application/cloudevents+xml", "application/cloudevents",
    "application/cloudevents-batch+avro", "application/octet-stream", "application/x-ndjson",
  ])
  func `data that is not JSON is 415`(type: String) async throws {
    try await withGateway { gateway in
      let answer = try await gateway.post(attributes + ["Content-Type: \(type)"])
      #expect(answer.status == 415)
      #expect(gateway.reported.isEmpty)
    }
  }

  @Test func `headers beside a structured event are copies and change nothing`() async throws {
    try await withGateway { gateway in
      let event =
        #"{"specversion":"1.0","type":"stackmeter.usage.v1","id":"inside","source":"cloud","#
        + #""subject":"abc","time":"2026-11-23T15:00:00Z","data":\#(data)}"#
      let answer = try await gateway.post(
        attributes + ["Content-Type: application/cloudevents+json"], event)
      #expect(answer.status == 202)
      #expect(gateway.reported.map(\.id) == ["inside"])
    }
  }

  @Test func `data may be base64, as libraries send bytes`() async throws {
    try await withGateway { gateway in
      func event(_ members: String) -> String {
        #"{"specversion":"1.0","type":"stackmeter.usage.v1","id":"b","source":"cloud","#
          + #""subject":"abc","time":"2026-11-23T15:00:00Z",\#(members)}"#
      }
      let type = ["Content-Type: application/cloudevents+json"]
      let base64 = Base64.text(Array(data.utf8))
      let answer = try await gateway.post(type, event(#""data_base64":"\#(base64)""#))
      #expect(answer.status == 202, "\(answer.text)")
      #expect(gateway.reported.map(\.series.meter) == ["cpu"])
      for wrong in [
        #""data_base64":"!""#, #""data_base64":"W10=""#, #""data_base64":7"#,
        #""data":{},"data_base64":"\#(base64)""#,
      ] {
        let answer = try await gateway.post(type, event(wrong))
        #expect(answer.status == 400)
        #expect(answer["errors.0.field"] == .string("data_base64"))
      }
    }
  }

  @Test func `who wants to know no more gets 204, but is told of what does not count`()
    async throws
  {
    try await withGateway { gateway in
      let minimal = ["Prefer: respond-async, return=minimal"]
      let answer = try await gateway.post(attributes + minimal)
      #expect(answer.status == 204)
      #expect(answer.headers["preference-applied"] == "return=minimal")
      #expect(answer.headers["content-length"] == nil && answer.body.isEmpty)
      #expect(try await gateway.post(attributes + ["Prefer: return=representation"]).status == 202)
      gateway.collector.with {
        $0.results["a"] = .quarantined(Refusal(.tooOld, field: "usage_start", "is too old"))
      }
      let refused = try await gateway.post(attributes + minimal)
      #expect(refused.status == 422)
      #expect(refused["code"] == .string("TooOld"))
    }
  }

  @Test func `the handshake of web hooks allows who asks`() async throws {
    try await withGateway { gateway in
      let answer = try await gateway.send(
        "OPTIONS", "/v1/events", token: nil, headers: ["WebHook-Request-Origin: cloud.example"])
      #expect(answer.status == 204)
      #expect(answer.headers["webhook-allowed-origin"] == "cloud.example")
      #expect(answer.headers["webhook-allowed-rate"] == "*")
      #expect(answer.headers["allow"] == "POST, OPTIONS")
      let plain = try await gateway.send("OPTIONS", "/v1/events", token: nil)
      #expect(plain.status == 204)
      #expect(plain.headers["webhook-allowed-origin"] == nil)
    }
  }
}
