import GRPCCore
import StackmeterCore
import Testing

private let one = "Content-Type: application/cloudevents+json"
private let many = "Content-Type: application/cloudevents-batch+json; charset=utf-8"
private let either = "Content-Type: Application/JSON"

private func event(_ id: String, quantity: String = "\"1.25\"", info: String = "") -> String {
  """
  {"specversion":"1.0","type":"stackmeter.usage.v1","id":"\(id)","source":"cloud",
   "subject":"/subscriptions/abc","time":"2026-11-23T15:00:00Z",
   "data":{"meter":"cpu","quantity":\(quantity),"resourceUri":"/r","additionalInfo":"\(info)"}}
  """
}

extension RunningGateway {
  fileprivate func post(_ body: String, _ headers: String...) async throws -> HTTPAnswer {
    try await send(
      "POST", "/v1/events", token: operatorToken, headers: headers, body: Array(body.utf8))
  }
}

@Suite(.timeLimit(.minutes(1))) struct EventsTests {
  @Test func `one event is accepted exactly as it was sent`() async throws {
    try await withGateway { gateway in
      let answer = try await gateway.post(event("a", quantity: "0.000186920166015625"), one)
      #expect(answer.status == 202)
      #expect(answer.text == #"{"accepted":1,"duplicates":0,"parked":0,"rejected":[]}"#)
      let sent = gateway.collector.with { $0.calls }.first?.first
      let time = Instant(parsing: "2026-11-23T15:00:00Z")!
      #expect(
        sent
          == UsageEvent(
            id: "a", source: "cloud",
            series: Series(subscription: "abc", meter: "cpu", resource: Resource(uri: "/r")),
            usageStart: time, usageEnd: time,
            quantity: try Quantity(parsing: "0.000186920166015625")))
    }
  }

  @Test func `a batch tells what became of each event`() async throws {
    try await withGateway { gateway in
      gateway.collector.with {
        $0.results = [
          "dup": .duplicate(position: 1),
          "con": .conflict(
            position: 1, Refusal(.conflict, field: "quantity", "differs from what was accepted")),
          "old": .quarantined(Refusal(.tooOld, field: "usage_start", "is too old")),
        ]
      }
      let body = [
        event("a"), "7", event("dup"), event("con"), event("bad", quantity: "\"x\""), event("old"),
      ].joined(separator: ",")
      let answer = try await gateway.post("[\(body)]", many)
      #expect(answer.status == 202)
      #expect(answer["accepted"] == .number("1"))
      #expect(answer["duplicates"] == .number("1"))
      let rejected = answer["rejected"]?.array ?? []
      let codes = rejected.compactMap { JSONObject($0, path: "")?["code"]?.string }
      let indices = rejected.compactMap { JSONObject($0, path: "")?["index"] }
      #expect(codes == ["Malformed", "Conflict", "Malformed", "TooOld"])
      #expect(indices == ["1", "3", "4", "5"].map { .number($0) })
      #expect(answer["rejected.2.id"] == .string("bad"))
      #expect(answer["rejected.2.field"] == .string("data.quantity"))
      #expect(
        gateway.collector.with { $0.calls }.map { $0.map(\.id) } == [["a", "dup", "con", "old"]])
    }
  }

  @Test func `a correction is sent on, and the answer counts those that wait`() async throws {
    try await withGateway { gateway in
      gateway.collector.with { $0.results = ["v": .parked(position: 1)] }
      let void =
        #"{"specversion":"1.0","type":"stackmeter.usage.v1","id":"v","source":"cloud","#
        + #""time":"2026-11-23T15:00:00Z","data":{"voids":"é"}}"#
      let answer = try await gateway.post(void, one)
      #expect(answer.status == 202)
      #expect(answer.text == #"{"accepted":0,"duplicates":0,"parked":1,"rejected":[]}"#)
      let sent = gateway.collector.with { $0.calls }.flatMap { $0 }
      #expect(sent.map(\.correction) == [Correction(.voids, "é")])
    }
  }

  @Test func `application/json takes an event or a batch, and a batch may be empty`() async throws {
    try await withGateway { gateway in
      #expect(try await gateway.post(event("a"), either).status == 202)
      #expect(try await gateway.post("[\(event("a"))]", either).status == 202)
      let empty = try await gateway.post("[]", many)
      #expect(empty.status == 202)
      #expect(empty.text == #"{"accepted":0,"duplicates":0,"parked":0,"rejected":[]}"#)
    }
  }

  @Test func `a single event that is refused has its own status and names the field`() async throws
  {
    try await withGateway { gateway in
      gateway.collector.with {
        $0.results = [
          "con": .conflict(position: 1, Refusal(.conflict, field: "quantity", "differs")),
          "unk": .quarantined(Refusal(.unknownMeter, field: "series.meter", "is unknown")),
          "inv": .invalid(Refusal(.malformed, field: "id", "is bad")),
        ]
      }
      for (id, status, code, field) in [
        ("con", 409, "Conflict", "quantity"), ("unk", 422, "UnknownMeter", "series.meter"),
        ("inv", 400, "Malformed", "id"),
      ] {
        let answer = try await gateway.post(event(id), one)
        #expect(answer.status == status)
        #expect(answer.headers["content-type"] == "application/problem+json")
        #expect(answer["code"] == .string(code))
        #expect(answer["errors.0.field"] == .string(field))
      }
      let malformed = try await gateway.post(#"{"specversion":"1.0","data":{}}"#, one)
      #expect(malformed.status == 400)
      #expect((malformed["errors"]?.array?.count ?? 0) > 4)
    }
  }

  @Test(arguments: [
    ("", one), ("{", one), ("[]", one), ("{}", many), ("7", either), ("null", either),
    ("[1,]", many), ("{\"a\":1,\"a\":2}", one), ("\u{FEFF}{}", one), ("[] []", many),
    (String(repeating: "[", count: 100_000), many), ("\"\\ud800\"", either),
  ])
  func `a body of the wrong form is refused with what is wrong`(
    body: String, type: String
  ) async throws {
    try await withGateway { gateway in
      let answer = try await gateway.post(body, type)
      #expect(answer.status == 400)
      #expect(answer["code"] == .string("Malformed"))
      #expect(answer["detail"]?.string?.isEmpty == false)
    }
  }

  @Test(arguments: [
    [], ["Content-Type: text/plain"], ["Content-Type: application/x-www-form-urlencoded"],
    [one, "Content-Encoding: br"], [one, "Content-Encoding: gzip, gzip"],
  ])
  func `a content type or encoding that is not taken is 415`(headers: [String]) async throws {
    try await withGateway { gateway in
      let answer = try await gateway.send(
        "POST", "/v1/events", token: gateway.operatorToken, headers: headers,
        body: Array(event("a").utf8))
      #expect(answer.status == 415)
      #expect(gateway.collector.with { $0.calls.isEmpty })
    }
  }

  @Test func `more events than a batch may have are refused whole`() async throws {
    try await withGateway { gateway in
      let body =
        "[" + String(repeating: "0,", count: EventLimits.batchEventsMax) + "0]"
      let answer = try await gateway.post(body, many)
      #expect(answer.status == 413)
      #expect(answer["detail"]?.string?.contains("\(EventLimits.batchEventsMax)") == true)
    }
  }

  @Test func `large batches travel in parts that the collector can take`() async throws {
    try await withGateway { gateway in
      let small = (0..<4001).map { event("s\($0)") }.joined(separator: ",")
      let answer = try await gateway.post("[\(small)]", many)
      #expect(answer["accepted"] == .number("4001"))
      #expect(gateway.collector.with { $0.calls.map(\.count) } == [4001])
      let info = String(repeating: "i", count: 8000)
      let large = (0..<600).map { event("l\($0)", info: info + "\($0)") }.joined(separator: ",")
      let second = try await gateway.post("[\(large)]", many)
      #expect(second["accepted"] == .number("600"))
      let calls = gateway.collector.with { $0.calls.dropFirst() }
      #expect(calls.count == 3)
      #expect(calls.flatMap { $0 }.map(\.id) == (0..<600).map { "l\($0)" })
    }
  }

  @Test func `a part that fails after others were accepted answers for no event`() async throws {
    try await withGateway { gateway in
      gateway.collector.with {
        $0.failure = RPCError(code: .unavailable, message: "the inside")
        $0.callsBeforeFailure = 1
      }
      let info = String(repeating: "i", count: 8000)
      let body = (0..<400).map { event("s\($0)", info: info + "\($0)") }.joined(separator: ",")
      let answer = try await gateway.post("[\(body)]", many)
      #expect(answer.status == 503)
      #expect(answer.headers["retry-after"] == "1")
      #expect(answer["detail"]?.string?.contains("retrying is safe: events count once") == true)
      #expect(!answer.text.contains("inside") && !answer.text.contains("accepted"))
      #expect(gateway.collector.with { $0.calls.count } == 1)
    }
  }

  @Test(arguments: [
    (RPCError.Code.unavailable, 503), (.deadlineExceeded, 503), (.internalError, 500),
    (.invalidArgument, 500), (.outOfRange, 500),
  ])
  func `a collector that takes nothing is told with its status`(
    code: RPCError.Code, status: Int
  ) async throws {
    try await withGateway { gateway in
      gateway.collector.with { $0.failure = RPCError(code: code, message: "the inside") }
      let answer = try await gateway.post(event("a"), one)
      #expect(answer.status == status)
      #expect((answer.headers["retry-after"] == "1") == (status != 500))
      #expect(!answer.text.contains("inside"))
    }
  }

  @Test func `a collector without room is 503 in its own words`() async throws {
    try await withGateway { gateway in
      let words = "the journal's disk has 7 bytes free, less than the reserve of 9"
      gateway.collector.with { $0.failure = RPCError(code: .resourceExhausted, message: words) }
      let answer = try await gateway.post(event("a"), one)
      #expect(answer.status == 503)
      #expect(answer.headers["retry-after"] == "1")
      #expect(answer["code"] == .string("ServiceUnavailable"))
      #expect(answer["detail"]?.string?.contains(words) == true)
      #expect(answer["detail"]?.string?.contains("retrying is safe: events count once") == true)
    }
  }
}
