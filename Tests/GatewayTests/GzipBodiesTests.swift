import StackmeterCompression
import StackmeterCore
import Testing

@testable import GatewayServer

private func event(_ id: String) -> String {
  #"{"specversion":"1.0","type":"stackmeter.usage.v1","id":"\#(id)","source":"cloud","#
    + #""subject":"abc","time":"2026-11-23T15:00:00Z","#
    + #""data":{"meter":"cpu","quantity":1,"resourceUri":"/r"}}"#
}

extension RunningGateway {
  fileprivate func post(
    _ body: [UInt8], type: String, coding: String = "gzip", path: String = "/v1/events"
  ) async throws -> HTTPAnswer {
    try await send(
      "POST", path, token: operatorToken,
      headers: ["Content-Type: \(type)", "Content-Encoding: \(coding)"], body: body)
  }
}

/// Bodies that are encoded as gzip, at a real socket, and past their limits.
@Suite(.timeLimit(.minutes(1))) struct GzipBodiesTests {
  private let one = "application/cloudevents+json"
  private let lines = "application/x-ndjson"

  private func gzip(_ text: String) -> [UInt8] { GzipEncoder.encode(Array(text.utf8), .fast) }

  @Test func `events are read from gzip in every mode`() async throws {
    try await withGateway { gateway in
      let single = try await gateway.post(gzip(event("a")), type: one, coding: "GZIP")
      #expect(single.status == 202, "\(single.text)")
      let many = (0..<5000).map { event("l\($0)") }.joined(separator: "\n")
      let stream = try await gateway.post(gzip(many), type: lines)
      #expect(stream["accepted"] == .number("5000"), "\(stream.text)")
      let call = try await gateway.post(
        gzip("{}"), type: "application/json", path: "/stackmeter.v1.Query/ListMeters")
      #expect(call.status == 200, "\(call.text)")
    }
  }

  @Test func `more than is taken may not come out`() async throws {
    try await withGateway { gateway in
      for type in [one, lines, "application/cloudevents-batch+json"] {
        let bomb = GzipEncoder.encode(
          Array(repeating: 0x20, count: GatewayLimits.eventsBodyBytesMax + 1), .fast)
        let answer = try await gateway.post(bomb, type: type)
        #expect(answer.status == 413, "\(answer.text)")
        #expect(gateway.collector.with { $0.calls.isEmpty })
      }
      #expect(try await gateway.send("GET", "/healthz", token: nil).status == 200)
    }
  }

  @Test func `what is no gzip, or not whole, is refused`() async throws {
    try await withGateway { gateway in
      let whole = gzip(event("a"))
      for body in [Array(event("a").utf8), Array(whole.dropLast(4)), whole + [1, 2, 3]] {
        let answer = try await gateway.post(body, type: one)
        #expect(answer.status == 400, "\(answer.text)")
        #expect(answer["code"] == .string("Malformed"))
      }
      let other = try await gateway.post(whole, type: one, coding: "zstd")
      #expect(other.status == 415)
      #expect(other.headers["accept-encoding"] == "gzip, identity")
      #expect(gateway.collector.with { $0.calls.isEmpty })
    }
  }
}
