import StackmeterCore
import StackmeterTesting
import Testing

@testable import GatewayServer

/// What usage costs, at a real socket.
@Suite(.timeLimit(.minutes(1))) struct RatingTests {
  @Test func `rate cards are listed, and a version is its text`() async throws {
    try await withGateway { gateway in
      let list = try await gateway.get("/v1/ratecards")
      #expect(list.status == 200)
      #expect(list["inForce"] == .string("standard"))
      #expect(
        list.text.contains(
          #"{"name":"standard","version":1,"effective":"2026-11-01","currency":"EUR","sha256":"00ff","bytes":8}"#
        ), "\(list.text)")
      for version in ["1", "current"] {
        let card = try await gateway.get("/v1/ratecards/\(version)")
        #expect(card.status == 200 && card.text == "card é\n")
      }
      for version in ["0", "-1", "x", "99999999999"] {
        #expect(try await gateway.get("/v1/ratecards/\(version)").status == 404)
      }
      #expect(try await gateway.get("/v1/ratecards?version=1").status == 400)
    }
  }
}
