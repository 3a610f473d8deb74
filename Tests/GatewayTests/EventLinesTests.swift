import GRPCCore
import StackmeterCore
import StackmeterTesting
import Testing

@testable import GatewayServer

private func event(_ id: String, info: String = "") -> String {
  #"{"specversion":"1.0","type":"stackmeter.usage.v1","id":"\#(id)","source":"cloud","#
    + #""subject":"abc","time":"2026-11-23T15:00:00Z","#
    + #""data":{"meter":"cpu","quantity":1,"resourceUri":"/r","additionalInfo":"\#(info)"}}"#
}

extension RunningGateway {
  fileprivate func post(
    _ body: String, type: String = "application/x-ndjson", _ headers: String...
  ) async throws -> HTTPAnswer {
    try await send(
      "POST", "/v1/events", token: operatorToken, headers: ["Content-Type: \(type)"] + headers,
      body: Array(body.utf8))
  }

  fileprivate var reportedIDs: [String] { collector.with { $0.calls }.flatMap { $0 }.map(\.id) }
}

/// One event on each line, at a real socket.
@Suite(.timeLimit(.minutes(1))) struct EventLinesTests {
  @Test(arguments: [
    "application/x-ndjson", "application/ndjson", "Application/JSONL; charset=utf-8",
  ])
  func `lines are events, whatever ends them`(type: String) async throws {
    try await withGateway { gateway in
      let body = "\(event("a"))\n\r\n  \(event("b")) \r\n\n\(event("c"))"
      let answer = try await gateway.post(body, type: type)
      #expect(answer.status == 202, "\(answer.text)")
      #expect(answer.text == #"{"accepted":3,"duplicates":0,"parked":0,"rejected":[]}"#)
      #expect(gateway.reportedIDs == ["a", "b", "c"])
      #expect(try await gateway.post("\n\n", type: type)["accepted"] == .number("0"))
      #expect(
        try await gateway.post(event("d"), type: type, "Prefer: return=minimal").status == 204)
    }
  }

  @Test func `a bad line is told of by its place and stops no other`() async throws {
    try await withGateway { gateway in
      gateway.collector.with {
        $0.results["dup"] = .duplicate(position: 1)
        $0.results["old"] = .quarantined(Refusal(.tooOld, field: "usage_start", "is too old"))
      }
      let lines = [
        event("a"), "{", "", "[\(event("x"))]", event("dup"), "\(event("y")) \(event("z"))",
        event("old"), #"{"id":"bad"}"#, "\u{FEFF}\(event("bom"))", "{\"a\":\n1}", event("b"),
      ]
      let answer = try await gateway.post(lines.joined(separator: "\n"))
      #expect(answer.status == 202)
      #expect(answer["accepted"] == .number("2"))
      #expect(answer["duplicates"] == .number("1"))
      let rejected = (answer["rejected"]?.array ?? []).compactMap { JSONObject($0, path: "") }
      #expect(
        rejected.map { $0["index"] } == [1, 3, 5, 6, 7, 8, 9, 10].map { .number("\($0)") },
        "\(answer.text)")
      #expect(rejected.compactMap { $0["code"]?.string }.filter { $0 == "TooOld" }.count == 1)
      #expect(gateway.reportedIDs == ["a", "dup", "old", "b"])
    }
  }

  @Test func `a line longer than lines may be is no event, and the next one is`() async throws {
    try await withGateway { gateway in
      let most = GatewayLimits.eventLineBytesMax
      let pad = String(repeating: " ", count: most - event("fits").utf8.count)
      let endless = String(repeating: "x", count: 3 * GatewayLimits.eventLinesPartBytes)
      let body = [
        event("fits") + pad, event("long") + pad + " ", event("a"), endless, event("b"),
      ].joined(separator: "\n")
      let answer = try await gateway.post(body)
      #expect(answer["accepted"] == .number("3"), "\(answer.text)")
      #expect(gateway.reportedIDs == ["fits", "a", "b"])
      let rejected = (answer["rejected"]?.array ?? []).compactMap { JSONObject($0, path: "") }
      #expect(rejected.map { $0["index"] } == [.number("1"), .number("3")])
      #expect(answer["rejected.1.message"]?.string?.contains("\(most)") == true)
    }
  }

  @Test func `of many refused lines the first are told of and the others are counted`()
    async throws
  {
    try await withGateway { gateway in
      let most = GatewayLimits.eventsRejectedMax
      gateway.collector.with {
        $0.results["old"] = .quarantined(Refusal(.tooOld, field: "usage_start", "is too old"))
      }
      // Over several parts, and not only by what is malformed.
      let count = 2 * GatewayLimits.eventLinesPartBytes / 64
      let bad = String(repeating: "7\(String(repeating: " ", count: 62))\n", count: count)
      let answer = try await gateway.post(event("old") + "\n" + bad + event("a"))
      #expect(answer["accepted"] == .number("1"))
      #expect(answer["rejected"]?.array?.count == most)
      #expect(answer["rejected.0.code"] == .string("TooOld"))
      #expect(
        answer["rejectedOthers"] == .number("\(1 + count - most)"))
    }
  }

  @Test func `events are reported while the body still comes`() async throws {
    try await withGateway { gateway in
      let info = String(repeating: "i", count: 8000)
      let count = 2 * GatewayLimits.eventLinesPartBytes / 8000
      let lines = (0..<count).map { event("s\($0)", info: info) + "\n" }.joined()
      let head =
        "POST /v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(gateway.operatorToken)\r\n"
        + "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
      let first = "\(String(lines.utf8.count, radix: 16))\r\n\(lines)\r\n"
      let last = event("last")
      let rest = "\(String(last.utf8.count, radix: 16))\r\n\(last)\r\n0\r\n\r\n"
      let answer = try await exchange(
        port: gateway.port, Array((head + first).utf8),
        then: {
          _ = try await eventually { gateway.collector.with { $0.calls.isEmpty ? nil : true } }
          return Array(rest.utf8)
        })
      #expect(answer?["accepted"] == .number("\(count + 1)"))
      #expect(gateway.reportedIDs == (0..<count).map { "s\($0)" } + ["last"])
    }
  }

  @Test func `a part that fails after others were accepted answers for no event`() async throws {
    try await withGateway { gateway in
      gateway.collector.with {
        $0.failure = RPCError(code: .unavailable, message: "the inside")
        $0.callsBeforeFailure = 1
      }
      let info = String(repeating: "i", count: 8000)
      let answer = try await gateway.post(
        (0..<400).map { event("s\($0)", info: info) }.joined(separator: "\n"))
      #expect(answer.status == 503)
      #expect(answer.headers["retry-after"] == "1")
      #expect(answer["detail"]?.string?.contains("retrying is safe: events count once") == true)
    }
  }

  @Test func `a body that says it is longer than lines may be in all is refused`() async throws {
    try await withGateway { gateway in
      let answer = try await gateway.send(
        "POST", "/v1/events", token: gateway.operatorToken,
        headers: [
          "Content-Type: application/x-ndjson",
          "Content-Length: \(GatewayLimits.eventLinesBodyBytesMax + 1)",
        ])
      #expect(answer.status == 413)
    }
  }

  @Test func `however a body is cut, its lines are the same`() {
    var random = SeededRandom(seed: 7)
    let lines = (0..<40).map { index in
      index % 7 == 3 ? "bad" : event("e\(index)", info: String(repeating: "é", count: index * 7))
    }
    let text = Array(lines.joined(separator: "\n").utf8)
    for _ in 0..<50 {
      var reader = EventLines(SeriesWords.Pool(countMax: 1))
      var parts: [EventsBody] = []
      var rest = text[...]
      while !rest.isEmpty {
        let chunk = rest.prefix(Int.random(in: 1...400, using: &random))
        parts += reader.append(chunk)
        rest = rest.dropFirst(chunk.count)
      }
      parts += reader.finish()
      let indices = parts.flatMap {
        $0.batches.flatMap(\.requestIndices) + $0.malformed.map(\.index)
      }
      #expect(indices.sorted() == Array(0..<40))
    }
  }
}
