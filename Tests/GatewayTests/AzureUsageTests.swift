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
        "2", #"{\\\"RG\\\":\\\"rg\\\"}"#, #"{\\\"ServiceType\\\":\\\"F2s\\\"}"#)
      #expect(
        answer.text == #"{"value":[\#(expected("0.000186920166015625", "", "")),\#(second)]}"#)
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
        $0.pages = [ListUsageResponse(aggregates: [row()], nextPageToken: "abc-_1")]
      }
      let first = try await gateway.getAsTenant(
        "\(path)?continuationToken=&\(day)&showDetails=true")
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

  @Test(arguments: [
    (["https"], "https"), (["http"], "http"), ([], "http"), (["gopher"], "http"),
    (["https, http"], "http"), (["https://evil.example/"], "http"), (["https", "https"], "http"),
  ])
  func `the next link has the scheme that a proxy in front was asked by`(
    forwarded: [String], scheme: String
  ) async throws {
    try await withGateway { gateway in
      gateway.query.with {
        $0.pages = [ListUsageResponse(aggregates: [row()], nextPageToken: "t")]
      }
      let answer = try await gateway.send(
        "GET", "\(path)?\(day)", token: gateway.tenantToken,
        headers: forwarded.map { "X-Forwarded-Proto: \($0)" })
      #expect(
        answer["nextLink"]
          == .string("\(scheme)://metering.example:8420\(path)?\(day)&continuationToken=t"))
    }
  }

  @Test func `paths and parameter names match in any case, and an empty value is none`()
    async throws
  {
    try await withGateway { gateway in
      let answer = try await gateway.getAsTenant(
        "/SUBSCRIPTIONS/\(subscription.uppercased())/Providers/microsoft.commerce/usageaggregates"
          + "?API-Version=1.0&reportedstarttime=2026-11-22&ReportedEndTime=2026-11-23"
          + "&aggregationgranularity=&subscriberId=&unknown=1")
      #expect(answer.status == 200)
      let request = gateway.query.with { $0.usageRequests }.first
      #expect(request?.granularity == .daily)
      #expect(request?.subscriptions == [subscription])
      let start = Instant(parsing: "2026-11-22T00:00:00Z")!.hour
      #expect(request?.windows == start..<Hour(index: start.index + 24))
    }
  }

  @Test(arguments: [
    ("reportedStartTime=2026-11-22&reportedEndTime=2026-11-23", "NoApiVersion", "api-version"),
    ("\(day)&aggregationGranularity=weekly", "InvalidAggregationGranularity", "Daily"),
    (
      "api-version=1&reportedEndTime=2026-11-23", "InvalidProperty", "reportedStartTime"
    ),
    ("api-version=1&reportedStartTime=2026-11-22", "InvalidProperty", "reportedEndTime"),
    (
      "api-version=1&reportedStartTime=20261122T00:00:00Z&reportedEndTime=2026-11-23",
      "InvalidProperty", "reportedStartTime"
    ),
    (
      "api-version=1&reportedStartTime=2026-11-22T01:00:00Z&reportedEndTime=2026-11-23",
      "InvalidProperty", "midnight"
    ),
    (
      "api-version=1&reportedStartTime=2026-11-22T01:30:00Z&reportedEndTime=2026-11-23"
        + "&aggregationGranularity=hourly", "InvalidProperty", "reportedStartTime"
    ),
    (
      "api-version=1&reportedStartTime=2026-11-22&reportedEndTime=2026-11-22", "InvalidProperty",
      "reportedEndTime"
    ),
    (
      "api-version=1&reportedStartTime=2026-11-22&reportedEndTime=2026-11-24",
      "RequestEndTimeIsInFuture", "reportedEndTime"
    ),
    ("\(day)&reportedEndTime=2026-11-23", "InvalidProperty", "reportedEndTime"),
    ("\(day)&continuationToken=%zz", "InvalidProperty", "continuationToken"),
  ])
  func `a bad question is told by Azure's code and names the property`(
    query: String, code: String, part: String
  ) async throws {
    try await withGateway { gateway in
      let answer = try await gateway.getAsTenant("\(path)?\(query)")
      #expect(answer.status == 400)
      #expect(answer["error.code"] == .string(code))
      #expect(answer.headers["x-ms-error-code"] == code)
      #expect(answer["error.message"]?.string?.contains(part) == true, "\(answer.text)")
      #expect(gateway.query.with { $0.usageRequests.isEmpty })
    }
  }

  @Test func `a path without a subscription says so`() async throws {
    try await withGateway { gateway in
      let answer = try await gateway.get(
        "/subscriptions//providers/Microsoft.Commerce/UsageAggregates?\(day)")
      #expect(answer["error.code"] == .string("SubscriptionIdMissingInRequest"))
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

  @Test func `operators ask for all subscribers or for one, under every path of the provider API`()
    async throws
  {
    try await withGateway { gateway in
      gateway.query.with { $0.pages = [ListUsageResponse(aggregates: [row()], nextPageToken: "")] }
      let all = try await gateway.get("\(providerPath)?\(day)")
      #expect(
        all["value.0.id"]
          == .string(
            "/subscriptions/Operator-1/providers/Microsoft.Commerce/UsageAggregate/"
              + "\(subscription)-B4438D5D"))
      for path in [
        providerPath,
        "/subscriptions/x/providers/Microsoft.Commerce/subscriberUsageAggregates",
        "/subscriptions/x/providers/Microsoft.Commerce.Admin/locations/subscriberUsageAggregates",
      ] {
        let one = try await gateway.get("\(path)?\(day)&subscriberId=ABC")
        #expect(one.status == 200)
      }
      #expect(
        gateway.query.with { $0.usageRequests }.map(\.subscriptions)
          == [[], ["abc"], ["abc"], ["abc"]])
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
      if status >= 429 { #expect(!answer.text.contains("inside")) }
    }
  }
}
