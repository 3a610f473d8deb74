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

  @Test func `a statement is JSON, CSV or a page, as it is asked for`() async throws {
    try await withGateway { configuration, _ in
      configuration.issuer = "Contoso <IT>"
    } _: { gateway in
      let draft = "/v1/statements/draft?subscription=\(RunningGateway.subscription)&period=2026-11"
      for path in ["/v1/statements/2026-000001?", draft + "&"] {
        let json = try await gateway.get(path + "format=json")
        #expect(json.text == ScriptedRating.document)
        #expect(json.headers["content-type"] == "application/json; charset=utf-8")
        let csv = try await gateway.getAsTenant(path + "format=CSV")
        #expect(csv.status == 200)
        #expect(csv.headers["content-type"] == "text/csv; charset=utf-8; header=present")
        #expect(
          csv.headers["content-disposition"]
            == "attachment; filename=\"statement-draft-2026-11.csv\"")
        #expect(csv.text.hasPrefix("statement,status,subscriptionId,"))
        let page = try await gateway.get(path + "format=html")
        #expect(page.headers["content-type"] == "text/html; charset=utf-8")
        #expect(page.headers["content-security-policy"]?.contains("default-src 'none'") == true)
        #expect(page.text.contains("<h1>Provisional draft</h1>"))
        #expect(page.text.contains("Contoso &lt;IT&gt;"))
        #expect(try await gateway.get(path + "format=pdf").status == 400)
      }
    }
  }
}
