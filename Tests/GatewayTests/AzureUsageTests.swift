import GRPCCore
import StackmeterCore
import StackmeterWire
import Testing

private let subscription = RunningGateway.subscription
private let path = "/subscriptions/\(subscription)/providers/Microsoft.Commerce/UsageAggregates"
private let providerPath =
  "/subscriptions/Operator-1/providers/Microsoft.Commerce.Admin/subscriberUsageAggregates"
private let day =
  "api-version=2015-06-01-preview&reportedStartTime=2026-11-22T00%3A00%3A00%2B00%3A00"
  + "&reportedEndTime=2026-11-23T00%3A00%3A00%2B00%3A00"

private func row(quantity: String = "0.000186920166015625", tags: String = "") -> UsageAggregate {
  let hour = Instant(parsing: "2026-11-22T18:00:00Z")!.hour
  return UsageAggregate(
    series: Series(
      subscription: subscription, meter: "B4438D5D",
      resource: Resource(
        uri: "/subscriptions/\(subscription)/resourceGroups/rg", location: "northwest",
        tags: tags, additionalInfo: tags.isEmpty ? "" : "{\"ServiceType\":\"F2s\"}")),
    usageStart: hour.start, usageEnd: hour.end, quantity: try! Quantity(parsing: quantity),
    window: hour.next, isProvisional: false)
}

private let fullPage = Array(repeating: row(), count: 1000)

@Suite(.timeLimit(.minutes(1))) struct AzureUsageTests {
  @Test func `a row has the members and the order of a real answer`() async throws {
    try await withGateway { gateway in
      gateway.query.with {
        $0.pages = [
          ListUsageResponse(
            aggregates: [row(), row(quantity: "2", tags: "{\"RG\":\"rg\"}")], nextPageToken: "")
        ]
      }
      let answer = try await gateway.getAsTenant("\(path)?\(day)")
      #expect(answer.status == 200)
      #expect(answer.headers["content-type"] == "application/json; charset=utf-8")
      #expect(answer.headers["cache-control"] == "no-cache")
      #expect(answer.headers["x-ms-request-id"]?.utf8.count == 36)
      #expect(
        answer.headers["x-ms-correlation-request-id"] == answer.headers["x-ms-request-id"])
      let name = "\(subscription)-B4438D5D"
      func expected(_ quantity: String, _ tags: String, _ info: String) -> String {
        #"""
        {"id":"/subscriptions/\#(subscription)/providers/Microsoft.Commerce/UsageAggregate/\#(name)",\#
        "name":"\#(name)","type":"Microsoft.Commerce/UsageAggregate",\#
        "properties":{"subscriptionId":"\#(subscription)",\#
        "usageStartTime":"2026-11-22T18:00:00+00:00",\#
        "usageEndTime":"2026-11-22T19:00:00+00:00",\#
        "instanceData":"{\"Microsoft.Resources\":{\"resourceUri\":\"/subscriptions/\#(subscription)\#
        /resourceGroups/rg\",\#
        \"location\":\"northwest\",\"tags\":\"\#(tags)\",\"additionalInfo\":\"\#(info)\"}}",\#
        "quantity":\#(quantity),"meterId":"B4438D5D","name":"\#(name)"}}
        """#
      }
      let second = expected(
        "2.0", #"{\\\"RG\\\":\\\"rg\\\"}"#, #"{\\\"ServiceType\\\":\\\"F2s\\\"}"#)
      #expect(
        answer.text == #"{"value":[\#(expected("0.000186920166015625", "", "")),\#(second)]}"#)
    }
  }

  @Test func `without details a row has no instance data`() async throws {
    try await withGateway { gateway in
      gateway.query.with { $0.pages = [ListUsageResponse(aggregates: [row()], nextPageToken: "")] }
      let answer = try await gateway.getAsTenant("\(path)?\(day)&showDetails=false")
      let name = "\(subscription)-B4438D5D"
      #expect(
        answer.text == #"""
          {"value":[{"id":"/subscriptions/\#(subscription)/providers/Microsoft.Commerce/\#
          UsageAggregate/\#(name)","name":"\#(name)","type":"Microsoft.Commerce/UsageAggregate",\#
          "properties":{"subscriptionId":"\#(subscription)",\#
          "usageStartTime":"2026-11-22T18:00:00+00:00",\#
          "usageEndTime":"2026-11-22T19:00:00+00:00","quantity":0.000186920166015625,\#
          "meterId":"B4438D5D","name":"\#(name)"}}]}
          """#)
    }
  }

  @Test func `no usage is an empty list`() async throws {
    try await withGateway { gateway in
      let answer = try await gateway.getAsTenant("\(path)?\(day)")
      #expect(answer.text == #"{"value":[]}"#)
    }
  }

  @Test func `the next link is the request's own URL with the token, and absent on the last page`()
    async throws
  {
    try await withGateway { gateway in
      gateway.query.with {
        $0.pages = [ListUsageResponse(aggregates: fullPage, nextPageToken: "abc-_1")]
      }
      let first = try await gateway.getAsTenant(
        "\(path)?continuationToken=&\(day)&subscriberId=&showDetails=true")
      #expect(
        first["nextLink"]
          == .string(
            "http://metering.example:8420\(path)?\(day)&showDetails=true&continuationToken=abc-_1"
          ))
      let next = try await gateway.getAsTenant("\(path)?\(day)&continuationToken=abc-_1")
      #expect(next["nextLink"] == nil)
      let requests = gateway.query.with { $0.usageRequests }
      #expect(requests.map(\.pageToken) == ["", "abc-_1"])
      #expect(requests.map(\.pageSize) == [1000, 1000])
    }
  }

  @Test func `a page has exactly 1,000 rows however query parts them`() async throws {
    try await withGateway { gateway in
      gateway.query.with {
        $0.pages = [(600, "a"), (0, "b"), (400, "c")].map { count, token in
          ListUsageResponse(
            aggregates: Array(repeating: row(), count: count), nextPageToken: token)
        }
      }
      let answer = try await gateway.getAsTenant("\(path)?\(day)")
      #expect(answer["value"]?.array?.count == 1000)
      #expect(answer["nextLink"]?.string?.hasSuffix("&continuationToken=c") == true)
      let requests = gateway.query.with { $0.usageRequests }
      #expect(requests.map(\.pageToken) == ["", "a", "b"])
      #expect(requests.map(\.pageSize) == [1000, 400, 400])
    }
  }

  @Test func `a page that takes more than 16 parts is shorter, and another one follows`()
    async throws
  {
    try await withGateway { gateway in
      gateway.query.with {
        $0.pages = (1...17).map {
          ListUsageResponse(aggregates: [row()], nextPageToken: $0 == 17 ? "" : "t\($0)")
        }
      }
      let first = try await gateway.getAsTenant("\(path)?\(day)")
      #expect(first["value"]?.array?.count == 16)
      #expect(first["nextLink"]?.string?.hasSuffix("&continuationToken=t16") == true)
      let last = try await gateway.getAsTenant("\(path)?\(day)&continuationToken=t16")
      #expect(last["value"]?.array?.count == 1)
      #expect(last["nextLink"] == nil)
    }
  }

  @Test func `a continuation token of another question is refused by its name`() async throws {
    try await withGateway { gateway in
      _ = try await gateway.getAsTenant("\(path)?\(day)")
      gateway.query.with {
        $0.failure = RPCError(code: .invalidArgument, message: "page_token: was not given")
      }
      let answer = try await gateway.getAsTenant("\(path)?\(day)&continuationToken=foreign")
      #expect(answer.status == 400)
      #expect(answer["error.code"] == .string("InvalidProperty"))
      #expect(answer["error.message"]?.string?.hasPrefix("continuationToken: ") == true)
    }
  }

  @Test(arguments: [
    ("/subscriptions/s/vm", "/subscriptions/s/vm"), ("/SUBSCRIPTIONS/S/VM", "/SUBSCRIPTIONS/S/VM"),
    ("/subscriptions/s/a\\b", #"/subscriptions/s/a\\\\b"#),
    (
      "urn:vm/1",
      "/subscriptions/\(subscription)/resourceGroups/none/providers/Stackmeter/resources/urn%3avm%2f1"
    ),
    (
      "subscriptions/s",
      "/subscriptions/\(subscription)/resourceGroups/none/providers/Stackmeter/resources/subscriptions%2fs"
    ),
  ])
  func `a resource is always an id of Azure's form, and one that is stays as it was reported`(
    reported: String, shown: String
  ) async throws {
    try await withGateway { gateway in
      let series = Series(
        subscription: subscription, meter: "M", resource: Resource(uri: reported))
      let aggregate = UsageAggregate(
        series: series, usageStart: row().usageStart, usageEnd: row().usageEnd,
        quantity: Quantity(1), window: row().window, isProvisional: false)
      gateway.query.with {
        $0.pages = [ListUsageResponse(aggregates: [aggregate], nextPageToken: "")]
      }
      let answer = try await gateway.getAsTenant("\(path)?\(day)")
      #expect(
        answer.text.contains(
          #""instanceData":"{\"Microsoft.Resources\":{\"resourceUri\":\"\#(shown)\","#),
        "\(answer.text)")
    }
  }

  @Test(arguments: [
    ("1", "1.0"), ("-3", "-3.0"), ("0", "0.0"), ("0.5", "0.5"), ("-0.25", "-0.25"),
    ("1.52587890625E-05", "0.0000152587890625"),
    ("9223372036854775807.999999999999999999", "9223372036854775807.999999999999999999"),
  ])
  func `a quantity is a number with a point, exact and without an exponent`(
    reported: String, shown: String
  ) async throws {
    try await withGateway { gateway in
      gateway.query.with {
        $0.pages = [
          ListUsageResponse(aggregates: [row(quantity: reported)], nextPageToken: "")
        ]
      }
      let answer = try await gateway.getAsTenant("\(path)?\(day)")
      #expect(answer["value.0.properties.quantity"] == .number(shown))
    }
  }

  @Test(arguments: [
    (["https"], "https"), (["http"], "http"), ([], "http"), (["gopher"], "http"),
    (["https, http"], "http"), (["https://evil.example/"], "http"), (["https", "https"], "http"),
  ])
  func `the next link has the scheme that a proxy in front was asked by`(
    forwarded: [String], scheme: String
  ) async throws {
    try await withGateway { gateway in
      gateway.query.with {
        $0.pages = [ListUsageResponse(aggregates: fullPage, nextPageToken: "t")]
      }
      let answer = try await gateway.send(
        "GET", "\(path)?\(day)", token: gateway.tenantToken,
        headers: forwarded.map { "X-Forwarded-Proto: \($0)" })
      #expect(
        answer["nextLink"]
          == .string("\(scheme)://metering.example:8420\(path)?\(day)&continuationToken=t"))
    }
  }

  @Test func `a range that reaches into a window that is not closed must wait`() async throws {
    try await withGateway { gateway in
      let question =
        "\(path)?api-version=1&aggregationGranularity=Hourly"
        + "&reportedStartTime=2026-11-23T13:00:00Z&reportedEndTime=2026-11-23T15:00:00Z"
      let end = RunningGateway.start.hour
      gateway.query.with { $0.status.openWindow = Hour(index: end.index - 1) }
      let early = try await gateway.get(question)
      #expect(early.status == 503)
      #expect(early["error.code"] == .string("ServiceUnavailable"))
      #expect(early.headers["retry-after"] == "5")
      gateway.query.with { $0.status.openWindow = end }
      #expect(try await gateway.get(question).status == 200)
    }
  }

  @Test func `a provider's rows have the caller's subscription in their ids`() async throws {
    try await withGateway { gateway in
      gateway.query.with { $0.pages = [ListUsageResponse(aggregates: [row()], nextPageToken: "")] }
      let all = try await gateway.get("\(providerPath)?\(day)")
      #expect(
        all["value.0.id"]
          == .string(
            "/subscriptions/Operator-1/providers/Microsoft.Commerce/UsageAggregate/"
              + "\(subscription)-B4438D5D"))
    }
  }

  @Test(arguments: [
    (RPCError.Code.unavailable, 503, "ServiceUnavailable"),
    (.deadlineExceeded, 503, "ServiceUnavailable"),
    (.resourceExhausted, 429, "TooManyRequests"),
    (.invalidArgument, 400, "InvalidProperty"),
    (.outOfRange, 400, "InvalidProperty"),
    (.notFound, 404, "SubscriptionNotFound"),
    (.permissionDenied, 403, "AuthorizationFailed"),
    (.internalError, 500, "InternalServerError"),
    (.unknown, 500, "InternalServerError"),
  ])
  func `each failure of query has its status`(
    code: RPCError.Code, status: Int, name: String
  ) async throws {
    try await withGateway { gateway in
      _ = try await gateway.getAsTenant("\(path)?\(day)")
      gateway.query.with { $0.failure = RPCError(code: code, message: "the inside") }
      let answer = try await gateway.getAsTenant("\(path)?\(day)")
      #expect(answer.status == status)
      #expect(answer["error.code"] == .string(name))
      #expect((answer.headers["retry-after"] != nil) == (status == 503 || status == 429))
      #expect((answer.headers["x-ms-failure-cause"] != nil) == (status >= 500))
      if status >= 429 { #expect(!answer.text.contains("inside")) }
    }
  }
}
