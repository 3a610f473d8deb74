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

  @Test func `the parts of a FOCUS file are one, with its rows behind it`() async throws {
    try await withGateway { gateway in
      let file = try await gateway.getAsTenant("/v1/exports/focus?period=2026-11")
      #expect(file.status == 200 && file.headers["transfer-encoding"] == "chunked")
      for part in ["A,B\r\n1,2\r\n", "3,4\r\n", "Stackmeter-Rows: 2"] {
        #expect(file.text.contains(part), "\(file.text)")
      }
      #expect(
        file.headers["content-disposition"]
          == "attachment; filename=\"stackmeter-focus-2026-11.csv\"")
      for wrong in ["", "?period=2026-11&version=1.1", "?period=2026-11&nobody=1"] {
        #expect(try await gateway.get("/v1/exports/focus\(wrong)").status == 400)
      }
      let metadata = try await gateway.get("/v1/exports/focus/metadata")
      #expect(metadata.text.contains(#""FocusVersion":"1.2""#))
      #expect(!metadata.text.contains("InvoiceIssuer\""))
      let old = try await gateway.get("/v1/exports/focus/metadata?version=1.0")
      #expect(old.text.contains(#""InvoiceIssuer""#))
    }
  }

  @Test func `a showback is gathered from all answers, and a cost is shared over its parts`()
    async throws
  {
    try await withGateway { gateway in
      let path = "/v1/showback?period=2026-11&groupBy=costCenter"
      let plain = try await gateway.get(path)
      #expect(
        plain.text.contains(
          #""total":"8.50","statements":2,"drafts":1,"value":[{"name":"dev","kind":"usage","amount":"6.00"},"#
            + #"{"name":"fin","kind":"usage","amount":"2.00","statements":[{"subscriptionId":"a","#
            + #""number":"2026-000001","amount":"1.50"},{"subscriptionId":"b","amount":"0.50"}]},"#
            + #"{"kind":"usage","amount":"1.00"},{"kind":"credit","amount":"-0.50"}]"#),
        "\(plain.text)")
      let shared = try await gateway.get(path + "&share=100.01")
      #expect(shared.text.contains(#""amount":"6.00","share":"75.01""#), "\(shared.text)")
      #expect(shared.text.contains(#""amount":"2.00","share":"25.00""#))
      let equal = try await gateway.get(path + "&share=100.01&shareBy=equal")
      #expect(equal.text.contains(#""amount":"6.00","share":"50.01""#))
      for wrong in ["&share=1.005", "&share=x", "&shareBy=equal", "&share=1&shareBy=x"] {
        #expect(try await gateway.get(path + wrong).status == 400, "\(wrong)")
      }
      #expect(try await gateway.get("/v1/showback?period=2026-11").status == 400)
    }
  }

  @Test func `a reconciliation says what does not tie`() async throws {
    try await withGateway { gateway in
      let answer = try await gateway.get("/v1/reconciliation?period=2026-11")
      #expect(
        answer.text
          == #"{"ties":false,"value":[{"subscriptionId":"a","total":"1.50","currency":"EUR","ties":false,"#
          + #""checks":[{"name":"one","holds":false,"text":"1 = 2"}]}],"nextAfter":"b"}"#)
    }
  }

  @Test func `a line of a statement is explained by its charges and their events`() async throws {
    try await withGateway { gateway in
      let path = "/v1/statements/2026-000001/explain?line=1"
      let plain = try await gateway.get(path)
      #expect(plain.status == 200 && plain.text.contains(#""description":"credit: v""#))
      #expect(plain.text.contains(#""usageStart":"2026-11-23T14:00:00Z""#), "\(plain.text)")
      #expect(!plain.text.contains("events") && plain.text.contains("nextPageToken"))
      // Where query has no events, the charge says why; real ones are in the system tests.
      let events = try await gateway.get(path + "&events=true")
      #expect(events.text.contains("\"problem\":"), "\(events.text)")
      for wrong in ["?line=2", "?line=0", "", "?line=1&pageSize=101"] {
        let answer = try await gateway.get("/v1/statements/2026-000001/explain\(wrong)")
        #expect(answer.status == 400, "\(wrong)")
      }
    }
  }
}
