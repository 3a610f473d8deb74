import StackmeterCore
import StackmeterWire
import Testing

/// One line of the contract of Azure's usage API, and a request that proves it at the door of a running gateway.
struct AzureLine: Sendable, CustomTestStringConvertible {
  /// The part of the contract, and what it says.
  let says: String
  /// Path and query; `{t}` and `{p}` stand for the tenant's and the provider's path, `{v}` for the `api-version`,
  /// `{day}` for it and the 22nd of November.
  let target: String
  /// What query is asked, as `AzureLine.question` writes it; or an error: its status, its code, and a part of its
  /// message.
  let expected: String
  var headers: [String] = []
  var isTenant = false

  var testDescription: String { says }

  init(
    _ says: String, _ target: String, _ expected: String, headers: [String] = [],
    isTenant: Bool = false
  ) {
    self.says = says
    var text = target
    for (name, value) in [
      ("{t}", "/subscriptions/\(RunningGateway.subscription)/providers/Microsoft.Commerce/"),
      ("{p}", "/subscriptions/operator-1/providers/Microsoft.Commerce.Admin/"),
      (
        "{day}",
        "{v}&reportedStartTime=2026-11-22T00:00:00Z&reportedEndTime=2026-11-23T00:00:00Z"
      ), ("{v}", "api-version=2015-06-01-preview"), ("{s}", RunningGateway.subscription),
    ] { text.replace(name, with: value) }
    self.target = text
    self.expected = expected
    self.headers = headers
    self.isTenant = isTenant
  }

  /// `daily 2026-11-22T00:00:00Z 24 hours of all`, and `summed` where lines are without details.
  static func question(_ request: ListUsageRequest) -> String {
    let hours = request.windows.upperBound.index - request.windows.lowerBound.index
    let names = request.subscriptions.map { $0 == RunningGateway.subscription ? "{s}" : $0 }
    return "\(request.granularity) \(request.windows.lowerBound) \(hours) hours of "
      + (names.isEmpty ? "all" : names.joined(separator: " "))
      + (request.withoutResources ? " summed" : "")
  }

  /// Sends the request, and compares what the gateway asked or answered.
  func prove() async throws {
    try await withGateway { gateway in
      gateway.query.with {
        $0.subscriptions = [
          Subscription(id: RunningGateway.subscription, state: .active),
          Subscription(id: "sub-2", state: .unassigned), Subscription(id: "gone", state: .deleted),
        ]
      }
      let answer = try await gateway.send(
        "GET", target, token: isTenant ? gateway.tenantToken : gateway.operatorToken,
        headers: headers)
      let asked = gateway.query.with { $0.usageRequests }
      let words = expected.split(separator: " ", maxSplits: 2).map(String.init)
      guard let status = Int(words[0]) else {
        #expect(answer.status == 200, "\(answer.text)")
        #expect(asked.map(AzureLine.question) == [expected])
        #expect(answer.text == #"{"value":[]}"#)
        return
      }
      #expect(asked.isEmpty)
      #expect(answer.status == status, "\(answer.text)")
      // Newer clients read the one, older ones the other.
      for prefix in ["error.", ""] {
        #expect(answer[prefix + "code"] == .string(words[1]), "\(answer.text)")
        let message = answer[prefix + "message"]?.string ?? ""
        #expect(message.contains(words[2]), "\(message)")
      }
      #expect(answer.headers["x-ms-error-code"] == words[1])
    }
  }
}

/// The contract, line by line. What clients really send is in `AzureClientRequestTests`.
@Suite(.timeLimit(.minutes(2))) struct AzureContractTests {
  static let day = "daily 2026-11-22T00:00:00Z 24 hours of {s}"
  static let hour = "hourly 2026-11-22T01:00:00Z 1 hours of {s}"

  static let parameters = [
    AzureLine("1.1 the start is included, the end is not", "{t}UsageAggregates?{day}", day),
    AzureLine(
      "1.1 the start is needed", "{t}UsageAggregates?{v}&reportedEndTime=2026-11-23",
      "400 InvalidProperty reportedStartTime"),
    AzureLine(
      "1.1 the end is needed", "{t}UsageAggregates?{v}&reportedStartTime=2026-11-23",
      "400 InvalidProperty reportedEndTime"),
    AzureLine(
      "1.1 an hourly time is the beginning of an hour",
      "{t}UsageAggregates?{v}&reportedStartTime=2026-11-22T01:00:00Z"
        + "&reportedEndTime=2026-11-22T02:00:00Z&aggregationGranularity=Hourly", hour),
    AzureLine(
      "1.1 an hourly time within an hour",
      "{t}UsageAggregates?{v}&reportedStartTime=2026-11-22T01:30:00Z"
        + "&reportedEndTime=2026-11-22T02:00:00Z&aggregationGranularity=Hourly",
      "400 InvalidProperty reportedStartTime"),
    AzureLine(
      "1.1 a daily time is midnight",
      "{t}UsageAggregates?{v}&reportedStartTime=2026-11-22&reportedEndTime=2026-11-22T01:00:00Z",
      "400 InvalidProperty reportedEndTime"),
    AzureLine(
      "1.1 the end must be after the start",
      "{t}UsageAggregates?{v}&reportedStartTime=2026-11-22&reportedEndTime=2026-11-22",
      "400 InvalidProperty reportedEndTime"),
    AzureLine(
      "1.1 the end may be now, but not in the future",
      "{t}UsageAggregates?{v}&reportedStartTime=2026-11-23T14:00:00Z"
        + "&reportedEndTime=2026-11-23T15:00:00Z&aggregationGranularity=Hourly",
      "hourly 2026-11-23T14:00:00Z 1 hours of {s}"),
    AzureLine(
      "1.1 the end may not be in the future",
      "{t}UsageAggregates?{v}&reportedStartTime=2026-11-22&reportedEndTime=2026-11-24",
      "400 RequestEndTimeIsInFuture reportedEndTime"),
    AzureLine(
      "1.1 the end may not be in the future for the provider either",
      "{p}subscriberUsageAggregates?{v}&reportedStartTime=2026-11-22&reportedEndTime=2026-11-24",
      "400 RequestEndTimeIsInFuture reportedEndTime"),
    AzureLine(
      "1.1 the granularity is Daily where it is absent", "{t}UsageAggregates?{day}", day),
    AzureLine(
      "1.1 the granularity is Daily where it is empty",
      "{t}UsageAggregates?{day}&aggregationGranularity=", day),
    AzureLine(
      "1.1 granularities in lower case", "{t}UsageAggregates?{day}&aggregationGranularity=daily",
      day),
    AzureLine(
      "1.1 granularities in upper case", "{t}UsageAggregates?{day}&aggregationGranularity=HOURLY",
      "hourly 2026-11-22T00:00:00Z 24 hours of {s}"),
    AzureLine(
      "1.1 any other granularity", "{t}UsageAggregates?{day}&aggregationGranularity=Monthly",
      "400 InvalidAggregationGranularity aggregationGranularity"),
    AzureLine(
      "1.1 showDetails that is neither true nor false",
      "{t}UsageAggregates?{day}&showDetails=maybe", "400 InvalidProperty showDetails"),
    AzureLine(
      "1.1 showDetails that is empty", "{t}UsageAggregates?{day}&showDetails=", day),
    AzureLine(
      "1.1 a continuation token that is empty",
      "{t}UsageAggregates?{day}&continuationToken=", day),
    AzureLine(
      "1.1 the api-version is needed",
      "{t}UsageAggregates?reportedStartTime=2026-11-22&reportedEndTime=2026-11-23",
      "400 NoApiVersion api-version"),
    AzureLine(
      "1.1 an empty api-version",
      "{t}UsageAggregates?api-version=&reportedStartTime=2026-11-22&reportedEndTime=2026-11-23",
      "400 NoApiVersion api-version"),
    AzureLine(
      "1.1 the api-version of the documents' samples",
      "{t}UsageAggregates?api-version=1.0&reportedStartTime=2026-11-22&reportedEndTime=2026-11-23",
      day),
    AzureLine(
      "1.1 the documents' doubled parameter is an error that names it",
      "{t}UsageAggregates?{v}&reportedStartTime=reportedStartTime=2026-11-22"
        + "&reportedEndTime=2026-11-23", "400 InvalidProperty reportedStartTime"),
    AzureLine(
      "1.1 a tenant's subscriberId is passed over", "{t}UsageAggregates?{day}&subscriberId=nobody",
      day),
    AzureLine(
      "1.1 parameters that nobody knows are passed over",
      "{t}UsageAggregates?{day}&x=1&x=2&api-Version=2015-06-01-preview", day),
    AzureLine(
      "1.1 one parameter that says two things",
      "{t}UsageAggregates?{day}&reportedendtime=2026-11-22", "400 InvalidProperty reportedEndTime"
    ),
    AzureLine(
      "1.1 a value that is not percent-encoded UTF-8",
      "{t}UsageAggregates?{day}&continuationToken=%zz", "400 InvalidProperty continuationToken"),
  ]

  /// Times that mean the 22nd of November, 00:00 UTC.
  static let times = [
    "2026-11-22T00%3A00%3A00.000Z", "2026-11-22T00:00:00.0000000+00:00",
    "2026-11-22T00%3A00%3A00.0000000%2B00%3A00", "2026-11-22T00:00:00.0000000",
    "2026-11-22T00:00:00", "2026-11-22T00:00:00Z", "2026-11-22T00:00:00.00Z",
    "2026-11-22T00%3a00%3a00%2b00%3a00Z", "2026-11-22T00:00:00+00:00Z",
    "2026-11-22+00%3a00%3a00Z", "2026-11-22%2000:00:00Z", "2026-11-22T00:00:00%2000:00",
    "2026-11-21T16:00:00-08:00", "2026-11-22", "11/22/2026",
    "11%2F22%2F2026%2000%3A00%3A00",
  ].map { time in
    AzureLine(
      "1.1 \(time)",
      "{t}UsageAggregates?{v}&reportedStartTime=\(time)&reportedEndTime=2026-11-23", day)
  }

  /// Times that are none.
  static let noTimes = [
    "20261122T00:00:00Z", "22/11/2026", "2026-11-31", "2026-11-22T24:00:00Z", "now", "1795305600",
    "2026-11-22T00:00:00%2B01:00Z", "2026-11-22T00:00:00.000Z2026-11-22T00:00:00.000Z",
  ].map { time in
    AzureLine(
      "1.1 \(time)",
      "{t}UsageAggregates?{v}&reportedStartTime=\(time)&reportedEndTime=2026-11-23",
      "400 InvalidProperty reportedStartTime")
  }

  /// `true` and `false` as scripts and serializers write them.
  static let flags =
    ["true", "True", "TRUE", "t", "T", "1", "yes", "y", "on", "%24true"].map { ($0, day) }
    + ["false", "False", "FALSE", "f", "F", "0", "no", "n", "off", "%24false"].map {
      ($0, "\(day) summed")
    }

  static let provider = [
    AzureLine(
      "2 all direct tenants", "{p}subscriberUsageAggregates?{day}",
      "daily 2026-11-22T00:00:00Z 24 hours of all"),
    AzureLine(
      "2 one direct tenant", "{p}subscriberUsageAggregates?{day}&subscriberId={s}", day),
    AzureLine(
      "2 a direct tenant in upper case", "{p}subscriberUsageAggregates?{day}&SubscriberID=SUB-2",
      "daily 2026-11-22T00:00:00Z 24 hours of sub-2"),
    AzureLine(
      "2 usage of a deleted subscription", "{p}subscriberUsageAggregates?{day}&subscriberId=gone",
      "daily 2026-11-22T00:00:00Z 24 hours of gone"),
    AzureLine(
      "1.5 a subscription that is no direct tenant",
      "{p}subscriberUsageAggregates?{day}&subscriberId=sub-3",
      "400 SubscriberIdIsNotDirectTenant subscriberId"),
    AzureLine(
      "2 empty parameters are absent ones",
      "{p}subscriberUsageAggregates?{day}&aggregationGranularity=&subscriberId=&continuationToken=",
      "daily 2026-11-22T00:00:00Z 24 hours of all"),
    AzureLine(
      "2 the path from before 2018",
      "/subscriptions/x/providers/Microsoft.Commerce/subscriberUsageAggregates?{day}",
      "daily 2026-11-22T00:00:00Z 24 hours of all"),
    AzureLine(
      "2 the path of Get-AzureRmResource",
      "/subscriptions/x/providers/Microsoft.Commerce.Admin/locations/subscriberUsageAggregates"
        + "?{day}", "daily 2026-11-22T00:00:00Z 24 hours of all"),
    AzureLine(
      "2 the path of Get-AzureRmResource before 2018",
      "/subscriptions/x/providers/Microsoft.Commerce/locations/subscriberUsageAggregates?{day}",
      "daily 2026-11-22T00:00:00Z 24 hours of all"),
    AzureLine(
      "2 the path of Get-AzureRmResource with a location",
      "/subscriptions/x/providers/Microsoft.Commerce.Admin/locations/local/subscriberUsageAggregates"
        + "?{day}", "daily 2026-11-22T00:00:00Z 24 hours of all"),
    AzureLine(
      "2 a tenant is no provider", "{p}subscriberUsageAggregates?{day}",
      "403 AuthorizationFailed operator", isTenant: true),
  ]

  static let paths = [
    AzureLine(
      "1.1 a path in any case, with a slash at its end",
      "/SUBSCRIPTIONS/{s}/Providers/microsoft.commerce/usageaggregates/?{day}", day),
    AzureLine("7 the SDKs' capital U", "{t}UsageAggregates?{day}", day),
    AzureLine("1 the documents' small u", "{t}usageAggregates?{day}", day),
    AzureLine(
      "1 a tenant sees its own subscription", "{t}UsageAggregates?{day}", day, isTenant: true),
    AzureLine(
      "1 one subscription only, the caller's",
      "/subscriptions/sub-2/providers/Microsoft.Commerce/UsageAggregates?{day}",
      "404 SubscriptionNotFound sub-2", isTenant: true),
    AzureLine(
      "1.5 the caller's subscription is missing",
      "/subscriptions//providers/Microsoft.Commerce/UsageAggregates?{day}",
      "400 SubscriptionIdMissingInRequest path"),
    AzureLine(
      "1.5 the provider's subscription is missing",
      "/subscriptions/%20/providers/Microsoft.Commerce.Admin/subscriberUsageAggregates?{day}",
      "400 SubscriptionIdMissingInRequest path"),
    AzureLine(
      "2 what is not there", "/subscriptions/x/providers/Microsoft.Commerce/nothing?{v}",
      "404 ResourceNotFound path"),
    AzureLine(
      "2 what is not there below the providers",
      "/providers/Microsoft.Nothing/operations?{v}", "404 ResourceNotFound path"),
  ]

  @Test(arguments: parameters) func `parameters mean what the contract says`(
    line: AzureLine
  ) async throws { try await line.prove() }

  @Test(arguments: times) func `every spelling of a time is read`(line: AzureLine) async throws {
    try await line.prove()
  }

  @Test(arguments: noTimes) func `what is no time is refused by the name of its parameter`(
    line: AzureLine
  ) async throws { try await line.prove() }

  @Test(arguments: flags) func `every spelling of true and false is taken`(
    flag: String, expected: String
  ) async throws {
    try await AzureLine(
      "1.1 showDetails", "{t}UsageAggregates?{day}&showDetails=\(flag)", expected
    ).prove()
  }

  @Test(arguments: provider) func `the provider API is as the contract says`(
    line: AzureLine
  ) async throws { try await line.prove() }

  @Test(arguments: paths) func `paths are those of the contract, in any case`(
    line: AzureLine
  ) async throws { try await line.prove() }
}
