import GRPCCore
import StackmeterCore
import StackmeterWire
import Testing

private let meter = Meter(
  id: "cpu", name: "CPU time", unit: "Core-Seconds", category: "Compute",
  resourceProvider: "agent", aggregation: .sum, isBillable: true)

@Suite(.timeLimit(.minutes(1))) struct NativeUsageTests {
  @Test func `usage is listed with exact quantities as strings`() async throws {
    try await withGateway { gateway in
      let hour = Instant(parsing: "2026-11-23T14:00:00Z")!.hour
      gateway.query.with {
        $0.pages = [
          ListUsageResponse(
            aggregates: [
              UsageAggregate(
                series: Series(
                  subscription: "s", meter: "cpu",
                  resource: Resource(
                    uri: "/r", location: "l", tags: "{\"a\":\"b\"}", additionalInfo: "{}")),
                usageStart: hour.start, usageEnd: hour.end,
                quantity: Quantity(units: -1, attos: -1)!, window: hour.next, isProvisional: true,
                id: "0-1")
            ], nextPageToken: "next")
        ]
      }
      let answer = try await gateway.get("/v1/usage")
      #expect(answer.status == 200)
      #expect(
        answer.text
          == #"""
          {"from":"2026-11-22T16:00:00Z","to":"2026-11-23T16:00:00Z",\#
          "value":[{"id":"0-1","subscriptionId":"s","meterId":"cpu","resourceUri":"/r",\#
          "location":"l","tags":{"a":"b"},"additionalInfo":"{}",\#
          "usageStart":"2026-11-23T14:00:00Z","usageEnd":"2026-11-23T15:00:00Z",\#
          "quantity":"-1.000000000000000001","window":"2026-11-23T15:00:00Z",\#
          "provisional":true,"final":false}],"nextPageToken":"next"}
          """#
      )
    }
  }

  @Test func `a question travels to query as it was asked`() async throws {
    try await withGateway { gateway in
      let answer = try await gateway.get(
        "/v1/usage?from=2026-11-01&to=2026-11-03T01:00:00+01:00&granularity=daily"
          + "&subscription=A&subscription=b&meter=cpu&meter=Disk&pageSize=7&pageToken=t")
      #expect(answer.status == 200, "\(answer.text)")
      let start = Instant(parsing: "2026-11-01T00:00:00Z")!.hour
      #expect(
        gateway.query.with { $0.usageRequests } == [
          ListUsageRequest(
            caller: .operator, windows: start..<Hour(index: start.index + 48),
            granularity: .daily, subscriptions: ["a", "b"], meters: ["cpu", "Disk"], pageSize: 7,
            pageToken: "t")
        ])
    }
  }

  @Test func `totals carry the meter's name and unit`() async throws {
    try await withGateway { gateway in
      gateway.query.with {
        $0.meters = [meter]
        $0.totals = [
          UsageTotal(
            period: Day(parsing: "2026-11-22")?.firstHour, groups: ["s"], meter: "cpu",
            quantity: Quantity(3), isProvisional: false),
          UsageTotal(isOthers: true, meter: "gone", quantity: .zero, isProvisional: true),
        ]
      }
      let answer = try await gateway.get(
        "/v1/usage/summary?from=2026-11-22&to=2026-11-23&groupBy=day,subscription")
      #expect(
        answer.text
          == #"""
          {"from":"2026-11-22T00:00:00Z","to":"2026-11-23T00:00:00Z",\#
          "value":[{"day":"2026-11-22","subscriptionId":"s","meterId":"cpu",\#
          "meterName":"CPU time","unit":"Core-Seconds","quantity":"3",\#
          "provisional":false,"final":false},{"others":true,"meterId":"gone","meterName":"","unit":"","quantity":"0",\#
          "provisional":true,"final":false}]}
          """#
      )
      let request = gateway.query.with { $0.summaryRequests }.first
      #expect(request?.groupings == [.day, .subscription])
    }
  }

  @Test func `a meter that query knows by two spellings takes the first one's name`() async throws {
    try await withGateway { gateway in
      let respelled = Meter(
        id: "CPU", name: "Processor time", unit: "Core-Seconds", category: "Compute",
        resourceProvider: "agent", aggregation: .sum, isBillable: true)
      gateway.query.with {
        $0.meters = [meter, respelled]
        $0.totals = ["cpu", "CPU"].map {
          UsageTotal(
            day: nil, subscription: nil, meter: $0, quantity: Quantity(1), isProvisional: false)
        }
      }
      let answer = try await gateway.get("/v1/usage/summary")
      #expect(answer.status == 200, "\(answer.text)")
      for (index, id) in ["cpu", "CPU"].enumerated() {
        #expect(answer["value.\(index).meterId"] == .string(id))
        #expect(answer["value.\(index).meterName"] == .string("CPU time"))
      }
    }
  }

  @Test func `an answer that would be too large is 400 and says what to ask for`() async throws {
    try await withGateway { gateway in
      let advice = "more than 10,000 totals; ask for a shorter time"
      gateway.query.with { $0.failure = RPCError(code: .outOfRange, message: advice) }
      let answer = try await gateway.get("/v1/usage/summary")
      #expect(answer.status == 400)
      #expect(answer["code"] == .string("InvalidProperty"))
      #expect(answer["detail"] == .string(advice))
    }
  }

  @Test(arguments: [
    ("/v1/usage?form=2026-11-22", "form"),
    ("/v1/usage?from=2026-11-22T00:30:00Z", "from"),
    ("/v1/usage?from=2026-11-22T01:00:00Z&granularity=daily", "from"),
    ("/v1/usage?from=yesterday", "from"),
    ("/v1/usage?from=2026-11-22&to=2026-11-21", "to"),
    ("/v1/usage?from=2027-01-01", "from"),
    ("/v1/usage?to=2026-11-22&to=2026-11-23", "to"),
    ("/v1/usage?granularity=weekly", "granularity"),
    ("/v1/usage?pageSize=0", "pageSize"),
    ("/v1/usage?pageSize=1001", "pageSize"),
    ("/v1/usage?pageSize=1e2", "pageSize"),
    ("/v1/usage?subscription=", "subscription"),
    ("/v1/usage/summary?meter=cpu&meter=", "meter"),
    ("/v1/usage?meter=%ff", "meter"),
    ("/v1/usage?meter=%00", "meter"),
    ("/v1/usage?meter=%4", "meter"),
    ("/v1/usage/summary?groupBy=week", "groupBy"),
    ("/v1/usage/summary?groupBy=tag", "groupBy"),
    ("/v1/usage/summary?groupBy=day:x", "groupBy"),
    ("/v1/usage/summary?top=0", "top"),
    ("/v1/usage/summary?top=1001", "top"),
    ("/v1/usage?by=time", "by"),
    ("/v1/usage?asOf=now", "asOf"),
    ("/v1/usage?asOf=1970-01-01", "asOf"),
    ("/v1/usage?tag=:x", "tag"),
    ("/v1/usage?location=", "location"),
    ("/v1/usage?from=2026-11-02&granularity=monthly", "from"),
    ("/v1/usage/summary?granularity=daily", "granularity"),
    ("/v1/windows?before=1", "before"),
    ("/v1/windows?pageSize=-1", "pageSize"),
    ("/v1/meters?x=1", "x"),
    ("/v1/status?verbose", "verbose"),
  ])
  func `a bad parameter is named`(target: String, field: String) async throws {
    try await withGateway { gateway in
      let answer = try await gateway.get(target)
      #expect(answer.status == 400)
      #expect(answer.headers["content-type"] == "application/problem+json")
      #expect(answer["errors.0.field"] == .string(field), "\(answer.text)")
    }
  }

  @Test func `all bad parameters are told at once`() async throws {
    try await withGateway { gateway in
      let answer = try await gateway.get("/v1/usage?from=a&granularity=b&pageSize=c&d=e")
      #expect(answer["errors"]?.array?.count == 4)
    }
  }

  @Test func `meters and windows are listed; how much a window holds is for operators`()
    async throws
  {
    try await withGateway { gateway in
      let hour = Instant(parsing: "2026-11-23T14:00:00Z")!.hour
      gateway.query.with {
        $0.meters = [meter]
        $0.windows = [ReportingWindow(hour: hour, isClosed: true, aggregates: 5)]
      }
      let meters = try await gateway.getAsTenant("/v1/meters")
      #expect(
        meters.text
          == #"""
          {"value":[{"id":"cpu","name":"CPU time","unit":"Core-Seconds",\#
          "category":"Compute","resourceProvider":"agent","aggregation":"sum",\#
          "billable":true}]}
          """#
      )
      let all = try await gateway.get("/v1/windows?before=2026-11-23T15:00:00Z&pageSize=3")
      #expect(
        all.text
          == #"{"value":[{"window":"2026-11-23T14:00:00Z","closed":true,"final":false,"aggregates":5}],"#
          + #""nextBefore":"2026-11-23T14:00:00Z"}"#
      )
      let plain = try await gateway.getAsTenant("/v1/windows")
      #expect(
        plain.text
          == #"{"value":[{"window":"2026-11-23T14:00:00Z","closed":true,"final":false}],"#
          + #""nextBefore":"2026-11-23T14:00:00Z"}"#)
      #expect(
        gateway.query.with { $0.windowRequests }
          == [
            ListWindowsRequest(caller: .operator, before: hour.next, pageSize: 3),
            ListWindowsRequest(caller: .tenant(subscriptions: [RunningGateway.subscription])),
          ])
    }
  }

  @Test func `the status tells of every service that answered query`() async throws {
    try await withGateway { gateway in
      gateway.query.with {
        $0.status.collector = CollectorStatus()
        $0.status.problems = ["the aggregator does not answer"]
      }
      let answer = try await gateway.get("/v1/status")
      #expect(answer["healthy"] == .bool(false))
      #expect(answer["problems.0"] == .string("the aggregator does not answer"))
      #expect(answer["openWindow"] == .string("2026-11-23T15:00:00Z"))
      #expect(answer["collector.accepted"] == .number("0"))
      #expect(answer["aggregator"] == nil)
    }
  }

  @Test func `health needs nobody, readiness needs query and the collector`() async throws {
    try await withGateway { gateway in
      #expect(try await gateway.send("GET", "/readyz", token: nil).status == 200)
      gateway.collector.with {
        $0.failure = RPCError(code: .unavailable, message: "down")
      }
      let one = try await gateway.send("GET", "/readyz", token: nil)
      #expect(one.status == 503)
      #expect(one["errors"]?.array?.count == 1)
      #expect(one["errors.0.field"] == .string("collector"))
      gateway.query.with { $0.failure = RPCError(code: .unavailable, message: "down") }
      let both = try await gateway.send("GET", "/readyz", token: nil)
      #expect(both["errors"]?.array?.count == 2)
      let health = try await gateway.send("GET", "/healthz", token: nil)
      #expect(health.text == #"{"status":"ok"}"#)
    }
  }

  @Test func `usage and windows of several cells are told apart, windows for operators only`()
    async throws
  {
    try await withGateway { gateway in
      let hour = Instant(parsing: "2026-11-23T14:00:00Z")!.hour
      gateway.query.with { services in
        services.pages = [
          ListUsageResponse(
            aggregates: ["north", "south"].map { cell in
              UsageAggregate(
                series: Series(subscription: "s", meter: "cpu", resource: Resource(uri: "/r")),
                usageStart: hour.start, usageEnd: hour.end, quantity: Quantity(1), window: hour,
                isProvisional: false, cell: cell)
            }, nextPageToken: "")
        ]
        var window = ReportingWindow(hour: hour, isClosed: false)
        window.add(
          CellWindow(
            cell: "north", isClosed: true, aggregates: 5, missingAtClose: MissingSources(["vm"])))
        window.add(CellWindow(cell: "south", isClosed: false, aggregates: 2))
        services.windows = [window]
      }
      let usage = try await gateway.get("/v1/usage")
      for cell in ["north", "south"] { #expect(usage.text.contains(#""cell":"\#(cell)"}"#)) }
      let all = try await gateway.get("/v1/windows")
      #expect(
        all.text
          == #"{"value":[{"window":"2026-11-23T14:00:00Z","closed":false,"final":false,"aggregates":7,"#
          + #""missingAtClose":{"count":1,"names":["vm"]},"cells":["#
          + #"{"cell":"north","closed":true,"aggregates":5,"missingAtClose":{"count":1,"names":["vm"]}},"#
          + #"{"cell":"south","closed":false,"aggregates":2}]}],"#
          + #""nextBefore":"2026-11-23T14:00:00Z"}"#)
      let plain = try await gateway.getAsTenant("/v1/windows")
      #expect(!plain.text.contains("north") && !plain.text.contains("cells"))
    }
  }

  @Test func `readiness is red while the aggregator reports a fault, and does not tell which`()
    async throws
  {
    try await withGateway { gateway in
      gateway.query.with {
        var aggregator = AggregatorStatus()
        aggregator.faults = ["secret figures differ"]
        $0.status.aggregator = aggregator
      }
      let red = try await gateway.send("GET", "/readyz", token: nil)
      #expect(red.status == 503)
      #expect(red["errors.0.field"] == .string("aggregator"))
      #expect(!red.text.contains("secret"))
      gateway.query.with { $0.status.aggregator = AggregatorStatus() }
      #expect(try await gateway.send("GET", "/readyz", token: nil).status == 200)
    }
  }
}
