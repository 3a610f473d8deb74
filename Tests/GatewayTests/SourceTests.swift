import GRPCCore
import StackmeterCore
import StackmeterWire
import Testing

@Suite(.timeLimit(.minutes(1))) struct SourceTests {
  private func post(_ gateway: RunningGateway, _ body: String, asTenant: Bool = false) async throws
    -> HTTPAnswer
  {
    try await gateway.send(
      "POST", "/v1/heartbeats", token: asTenant ? gateway.tenantToken : gateway.operatorToken,
      headers: ["Content-Type: application/json"], body: Array(body.utf8))
  }

  @Test func `a heartbeat is passed on, and what stands is told`() async throws {
    try await withGateway { gateway in
      let told = try await post(
        gateway,
        #"{"source":"vm","cadenceSeconds":60,"completeUntil":"2026-11-23T15:00:00+01:00"}"#)
      #expect(told.status == 200)
      #expect(
        told.text
          == #"{"source":"vm","cadenceSeconds":60,"completeUntil":"2026-11-23T14:00:00Z"}"#)
      let ended = try await post(gateway, #"{"source":"vm","ended":true}"#)
      #expect(ended.status == 200 && ended.text == #"{"source":"vm","ended":true}"#)
      #expect(
        gateway.collector.with { $0.heartbeats } == [
          Heartbeat(
            source: "vm", cadenceSeconds: 60,
            completeUntil: Instant(parsing: "2026-11-23T14:00:00Z")!), .end(of: "vm"),
        ])
    }
  }

  @Test(arguments: [
    (#"{"cadenceSeconds":60,"completeUntil":"2026-11-23T15:00:00Z"}"#, "source"),
    (#"{"source":7,"ended":true}"#, "source"),
    (#"{"source":"vm","completeUntil":"2026-11-23T15:00:00Z"}"#, "cadenceSeconds"),
    (
      #"{"source":"vm","cadenceSeconds":0,"completeUntil":"2026-11-23T15:00:00Z"}"#,
      "cadenceSeconds"
    ),
    (
      #"{"source":"vm","cadenceSeconds":1.5,"completeUntil":"2026-11-23T15:00:00Z"}"#,
      "cadenceSeconds"
    ),
    (#"{"source":"vm","cadenceSeconds":60}"#, "completeUntil"),
    (#"{"source":"vm","cadenceSeconds":60,"completeUntil":"now"}"#, "completeUntil"),
    (#"{"source":"vm","ended":"yes"}"#, "ended"),
    (#"{"source":"vm","ended":true,"cadenceSeconds":60}"#, "cadenceSeconds"),
    (#"{"source":"vm","ended":true,"cadence":60}"#, "cadence"),
  ])
  func `a wrong member is refused by its name`(body: String, field: String) async throws {
    try await withGateway { gateway in
      let answer = try await post(gateway, body)
      #expect(
        answer.status == 400 && answer.text.contains(#""field":"\#(field)""#), "\(answer.text)")
      #expect(gateway.collector.with { $0.heartbeats }.isEmpty)
    }
  }

  @Test func `what is no JSON object, too long, or of a tenant is refused`() async throws {
    try await withGateway { gateway in
      for body in ["", "[]", "{", "7"] {
        let answer = try await post(gateway, body)
        #expect(answer.status == 400)
      }
      let long = #"{"source":"\#(String(repeating: "s", count: 4096))","ended":true}"#
      let tooLong = try await post(gateway, long)
      #expect(tooLong.status == 413)
      let foreign = try await post(gateway, #"{"source":"vm","ended":true}"#, asTenant: true)
      #expect(foreign.status == 403)
      let list = try await gateway.getAsTenant("/v1/sources")
      #expect(list.status == 403)
      #expect(gateway.collector.with { $0.heartbeats }.isEmpty)
    }
  }

  @Test func `what the collector refuses names the member`() async throws {
    try await withGateway { gateway in
      let body = #"{"source":"vm","cadenceSeconds":60,"completeUntil":"2026-11-23T15:00:00Z"}"#
      gateway.collector.with {
        $0.failure = RPCError(code: .invalidArgument, message: "complete_until: is ahead")
      }
      let refused = try await post(gateway, body)
      #expect(
        refused.status == 400
          && refused.text.contains(#"{"field":"completeUntil","message":"is ahead"}"#))
      gateway.collector.with {
        $0.failure = RPCError(code: .failedPrecondition, message: "source: 4096 sources")
      }
      let full = try await post(gateway, body)
      #expect(full.status == 409 && full.text.contains("4096 sources"))
    }
  }

  @Test func `sources are listed, and answers say what they wait for`() async throws {
    try await withGateway { gateway in
      gateway.query.with {
        $0.sources = [
          SourceProgress(
            name: "vm", cadenceSeconds: 60,
            completeUntil: Instant(parsing: "2026-11-23T14:00:00Z")!,
            heardTime: Instant(parsing: "2026-11-23T14:00:01Z")!, overdueSeconds: 9)
        ]
        $0.missing = MissingSources(names: ["vm"], others: 2)
        $0.windows = [
          ReportingWindow(
            hour: Hour(index: 1), isClosed: true, aggregates: 3, isFinal: true,
            missingAtClose: MissingSources(["vm"]))
        ]
      }
      #expect(
        try await gateway.get("/v1/sources").text
          == #"{"value":[{"source":"vm","cadenceSeconds":60,"completeUntil":"2026-11-23T14:00:00Z","#
          + #""heardTime":"2026-11-23T14:00:01Z","overdueSeconds":9}]}"#)
      let windows = try await gateway.get("/v1/windows").text
      #expect(
        windows.contains(
          #""final":true,"aggregates":3,"missingAtClose":{"count":1,"names":["vm"]}"#))
      #expect(windows.contains(#""missingSources":{"count":3,"names":["vm"]}"#))
      let own = try await gateway.getAsTenant("/v1/windows").text
      #expect(own.contains(#""missingSources":{"count":3}"#) && !own.contains("vm"))
      let summary = try await gateway.get("/v1/usage/summary").text
      #expect(summary.hasSuffix(#""missingSources":{"count":3,"names":["vm"]}}"#))
    }
  }

  @Test func `subscriptions are listed within the caller's scope`() async throws {
    try await withGateway { gateway in
      gateway.query.with {
        $0.subscriptions = [
          Subscription(
            id: "s", displayName: "n", owner: "o", costCenter: "1", tags: #"{"a":"b"}"#,
            state: .deleted)
        ]
      }
      let page = try await gateway.getAsTenant(
        "/v1/subscriptions?subscription=s&after=a&pageSize=7")
      #expect(
        page.text
          == #"{"value":[{"id":"s","displayName":"n","owner":"o","costCenter":"1","tags":{"a":"b"},"#
          + #""state":"deleted"}],"nextAfter":"next"}"#)
      let tenant = Caller.tenant(subscriptions: [RunningGateway.subscription])
      #expect(
        gateway.query.with { $0.subscriptionRequests } == [
          ListSubscriptionsRequest(caller: tenant, ids: ["s"], after: "a", pageSize: 7)
        ])
    }
  }
}
