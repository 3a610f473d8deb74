import GRPCCore
import StackmeterCore
import StackmeterTesting
import StackmeterWire
import Testing

@testable import GatewayServer

private let day = Instant(parsing: "2026-11-22T00:00:00Z")!.hour

private func aggregate(_ number: Int, _ quantity: String = "1.5") throws -> UsageAggregate {
  var aggregate = UsageAggregate(
    series: Series(
      subscription: "s", meter: "cpu",
      resource: Resource(
        uri: "/subscriptions/s/resourceGroups/Web/r/\(number)", location: "west",
        tags: "{\"a\":\"b\"}", additionalInfo: "")),
    usageStart: day.start, usageEnd: Hour(index: day.index + 24).start,
    quantity: try Quantity(parsing: quantity), window: day, isProvisional: number % 2 == 1)
  aggregate.id = "row-\(number)"
  return aggregate
}

private let meter = Meter(
  id: "cpu", name: "CPU time", unit: "Core-Seconds", category: "Compute",
  resourceProvider: "agent", aggregation: .sum, isBillable: true)

@Suite(.timeLimit(.minutes(1))) struct ODataTests {
  private static let minimal = "application/json;odata.metadata=minimal;charset=utf-8"

  @Test func `the documents name the feed's sets`() async throws {
    try await withGateway { gateway in
      for path in ["/odata/v4", "/odata/v4/"] {
        let answer = try await gateway.get(path)
        #expect(answer.status == 200)
        #expect(answer.headers["odata-version"] == "4.0")
        #expect(answer.headers["content-type"] == Self.minimal)
        #expect(answer["value.1.url"] == .string("DailyUsage"))
        #expect(
          answer.text.contains(
            #""@odata.context":"http://metering.example:8420/odata/v4/$metadata""#))
      }
      let metadata = try await gateway.get("/odata/v4/$metadata")
      #expect(metadata.status == 200)
      #expect(metadata.headers["content-type"] == "application/xml")
      #expect(metadata.text.contains("<EntitySet Name=\"Subscriptions\""))
    }
  }

  @Test func `charges are those of the periods and subscriptions that a filter names`() async throws
  {
    try await withGateway { gateway in
      let own = "SubscriptionId%20eq%20'\(RunningGateway.subscription)'"
      let answer = try await gateway.getAsTenant(
        "/odata/v4/Charges?$top=2&$filter=BillingPeriod%20eq%20'2026-11'%20and%20\(own)")
      #expect(answer.status == 200)
      #expect(answer["value"]?.array?.count == 2)
      for part in [
        #""BillingPeriod":"2026-11","Statement":null,"SubscriptionId":"\#(RunningGateway.subscription)""#,
        #""Kind":"usage","Adjustment":false,"#, #""Location":"west","Tags":"{\"a\":\"b\"}""#,
        #""RateCard":"standard 1","Tier":"1","Quantity":12.5,"#,
        #""Cost":0,"ExactCost":"0.000000000000000000000000000000000001","Currency":"EUR"}"#,
        #""Kind":"minimum","Adjustment":true,"#, #""ResourceUri":null,"ResourceGroup":null,"#,
      ] {
        #expect(answer.text.contains(part), "\(part) is not in \(answer.text)")
      }
      // Nobody else's, and no month that is none.
      for filter in [
        "SubscriptionId%20eq%20'other'", "BillingPeriod%20eq%20'2026-13'%20and%20\(own)",
      ] {
        let none = try await gateway.getAsTenant("/odata/v4/Charges?$filter=\(filter)")
        #expect(none.status == 200 && none["value"]?.array?.isEmpty == true, "\(filter)")
      }
      #expect(try await gateway.get("/odata/v4/Charges?$skiptoken=x").status == 400)
    }
  }

  @Test func `rows have every property, exact, and a link while there are others`() async throws {
    try await withGateway { gateway in
      let rows = try [aggregate(1, "-0.300000000000000004")] + (2..<600).map { try aggregate($0) }
      gateway.query.with {
        $0.meters = [meter]
        $0.pages = [ListUsageResponse(aggregates: rows, nextPageToken: "a-b")]
      }
      let answer = try await gateway.get("/odata/v4/DailyUsage")
      #expect(answer.status == 200)
      let root = "http://metering.example:8420/odata/v4"
      #expect(
        answer.text.hasPrefix(
          #"""
          {"@odata.context":"\#(root)/$metadata#DailyUsage","value":[{"Id":"row-1",\#
          "SubscriptionId":"s","MeterId":"cpu","MeterName":"CPU time","Unit":"Core-Seconds",\#
          "ResourceUri":"/subscriptions/s/resourceGroups/Web/r/1","ResourceGroup":"web",\#
          "Location":"west","Tags":"{\"a\":\"b\"}","UsageStart":"2026-11-22T00:00:00Z",\#
          "UsageEnd":"2026-11-23T00:00:00Z","Quantity":-0.300000000000000004,\#
          "Provisional":true,"Final":false},{
          """#), "\(answer.text.prefix(900))")
      #expect(
        answer.text.hasSuffix(
          #"],"@odata.nextLink":"\#(root)/DailyUsage?$skiptoken=\#(day.index + 48)-a-b"}"#),
        "\(answer.text.suffix(300))")
      // The link asks the same question, later.
      gateway.clock.advance(by: .seconds(100_000))
      _ = try await gateway.get("/odata/v4/DailyUsage?$skiptoken=\(day.index + 48)-a-b")
      let requests = gateway.query.with { $0.usageRequests }
      #expect(requests.map(\.windows) == [requests[0].windows, requests[0].windows])
      #expect(requests.map(\.pageToken) == ["", "a-b"])
      #expect(requests[0].axis == .usage && requests[0].granularity == .daily)
    }
  }

  @Test func `a filter is asked of query as far as it goes, and decides every row`() async throws {
    try await withGateway { gateway in
      gateway.query.with {
        $0.meters = [meter]
        $0.pages = [
          ListUsageResponse(
            aggregates: try! (0..<4).map { try aggregate($0) }, nextPageToken: "next"),
          ListUsageResponse(aggregates: [try! aggregate(7)], nextPageToken: ""),
        ]
      }
      let filter =
        "UsageStart ge 2026-11-01T05:00:00Z and UsageStart lt 2026-11-23T00:00:00Z and "
        + "SubscriptionId eq 's' and MeterId in ('cpu','disk') and ResourceGroup eq 'web' and Provisional"
      let answer = try await gateway.get(
        "/odata/v4/DailyUsage?$filter=\(percentEncoded(filter))&$select=Id,Quantity")
      #expect(answer.status == 200, "\(answer.text)")
      // Both pages of query in one answer.
      #expect(
        answer.text.contains(
          #""value":[{"Id":"row-1","Quantity":1.5},{"Id":"row-3","Quantity":1.5},{"Id":"row-7","Quantity":1.5}]}"#
        ), "\(answer.text)")
      #expect(answer.text.contains("$metadata#DailyUsage(Id,Quantity)\""))
      let asked = try #require(gateway.query.with { $0.usageRequests }.first)
      #expect(asked.windows.lowerBound.description == "2026-11-01T00:00:00Z")
      #expect(asked.windows.upperBound.description == "2026-11-24T00:00:00Z")
      #expect(asked.subscriptions == ["s"] && asked.meters == ["cpu", "disk"])
      #expect(asked.series.resourceGroups == ["web"])
    }
  }

  @Test func `a filter that nothing can pass asks nobody`() async throws {
    try await withGateway { gateway in
      for filter in [
        "SubscriptionId eq 'a' and SubscriptionId eq 'b'",
        "UsageStart gt 2200-01-01", "UsageStart lt 2026-01-01 and UsageStart gt 2026-02-01",
      ] {
        let answer = try await gateway.get(
          "/odata/v4/HourlyUsage?$filter=\(percentEncoded(filter))")
        #expect(answer.status == 200 && answer.text.contains("\"value\":[]}"), "\(answer.text)")
      }
      let foreign = try await gateway.getAsTenant(
        "/odata/v4/HourlyUsage?$filter=\(percentEncoded("SubscriptionId eq 'foreign'"))")
      #expect(foreign.status == 200 && foreign.text.contains("\"value\":[]}"))
      #expect(gateway.query.with { $0.usageRequests } == [])
      let none = try await gateway.get("/odata/v4/HourlyUsage?$top=0")
      #expect(none.text.contains("\"value\":[]}"))
    }
  }

  @Test func `an answer ends after its limits of rows and of pages, and its link goes on`()
    async throws
  {
    try await withGateway { gateway in
      func pages(_ count: Int, of rows: Int) -> [ListUsageResponse] {
        (0..<count).map { _ in
          ListUsageResponse(
            aggregates: try! (0..<rows).map { try aggregate($0) }, nextPageToken: "next")
        }
      }
      gateway.query.with { $0.pages = pages(3, of: 600) }
      let whole = try await gateway.get("/odata/v4/DailyUsage?$top=2000&$select=Id")
      #expect(whole["value"]?.array?.count == 600)
      #expect(whole.text.contains("$top=1400\"}"), "\(whole.text.suffix(200))")
      gateway.query.with { $0.pages = pages(3, of: 600) }
      let exact = try await gateway.get("/odata/v4/DailyUsage?$top=600&$select=Id")
      #expect(exact["value"]?.array?.count == 600 && !exact.text.contains("nextLink"))
      gateway.query.with {
        $0.usageRequests = []
        $0.pages = pages(ODataPage.pagesMax + 5, of: 3)
      }
      let few = try await gateway.get(
        "/odata/v4/DailyUsage?$filter=\(percentEncoded("Quantity gt 5"))")
      #expect(few["value"]?.array?.isEmpty == true && few.text.contains("@odata.nextLink"))
      #expect(gateway.query.with { $0.usageRequests.count } == ODataPage.pagesMax)
    }
  }

  @Test(arguments: [
    ("/odata/v4/DailyUsage?$orderby=Id", 501, "$orderby"),
    ("/odata/v4/DailyUsage?$count=true", 501, "$count"),
    ("/odata/v4/DailyUsage?$filter=year(UsageStart)%20eq%202026", 501, "$filter"),
    ("/odata/v4/DailyUsage?$filter=Colour%20eq%201", 400, "$filter"),
    ("/odata/v4/DailyUsage?$top=-1", 400, "$top"),
    ("/odata/v4/DailyUsage?$skiptoken=x", 400, "$skiptoken"),
    ("/odata/v4/DailyUsage?$skiptoken=99999999999-x", 400, "$skiptoken"),
    ("/odata/v4/DailyUsage?$skiptoken=25-x", 400, "$skiptoken"),
    ("/odata/v4/Meters?$skiptoken=x", 400, "$skiptoken"),
    ("/odata/v4/DailyUsage?top=1", 400, "unknown parameter"),
    ("/odata/v4/DailyUsage?$format=atom", 406, "$format"),
    ("/odata/v4?$format=%zz", 400, "percent"), ("/odata/v4/$metadata?%zz", 400, "percent"),
    ("/odata/v4?$top=1", 400, "$top"), ("/odata/v4/$metadata?$format=json", 406, "$format"),
  ])
  func `what is not answered says why`(target: String, status: Int, part: String) async throws {
    try await withGateway { gateway in
      let answer = try await gateway.get(target)
      #expect(answer.status == status)
      #expect(answer.headers["odata-version"] == "4.0")
      #expect(answer["error.message"]?.string?.contains(part) == true, "\(answer.text)")
    }
  }

  @Test func `who signs in by a password has a token for it`() async throws {
    try await withGateway { gateway in
      func send(_ authorization: String) async throws -> Int {
        try await gateway.send(
          "GET", "/odata/v4/Meters", token: nil, headers: ["Authorization: \(authorization)"]
        ).status
      }
      let good = Base64.text(Array("any:\(gateway.operatorToken)".utf8))
      #expect(try await send("Basic \(good)") == 200)
      #expect(try await send("basic \(good)") == 200)
      for bad in [
        Base64.text(Array(gateway.operatorToken.utf8)), Base64.text(Array("any:sm_no".utf8)), "%",
        "",
        good + " x",
      ] {
        #expect(try await send("Basic \(bad)") == 401)
      }
      let refused = try await gateway.send("GET", "/odata/v4/Meters", token: nil, headers: [])
      #expect(refused.status == 401)
      #expect(refused.headers["www-authenticate"]?.contains("Basic realm=") == true)
      #expect(refused["error.code"] == .string("AuthenticationFailed"))
    }
  }

  @Test func `subscriptions are paged by their ids`() async throws {
    try await withGateway { gateway in
      gateway.query.with {
        $0.subscriptions = [
          Subscription(id: "a", displayName: "A", owner: "o", costCenter: "7", state: .active)
        ]
        $0.nextAfter = "a"
      }
      let answer = try await gateway.get(
        "/odata/v4/Subscriptions?$filter=\(percentEncoded("CostCenter eq '7' and Id in ('a','b')"))&$top=1"
      )
      #expect(answer["value.0.DisplayName"] == .string("A"))
      let asked = gateway.query.with { $0.subscriptionRequests }
      #expect(asked.first?.ids == ["a", "b"])
    }
  }
}
