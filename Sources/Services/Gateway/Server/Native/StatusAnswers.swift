internal import CollectorClient
internal import GRPCCore
internal import HTTPTypes
internal import QueryClient
internal import StackmeterCore
internal import StackmeterWire

/// `/healthz`, `/readyz` and `/v1/status`.
struct StatusAnswers: Sendable {
  let query: QueryClient
  let collector: CollectorClient

  /// The gateway itself runs.
  func health(_ request: GatewayRequest) -> Reply {
    Reply { writer in writer.member("status", string: "ok") }
  }

  /// The gateway can answer and take events, and its answers are true: query reads the usage database, the collector
  /// answers, and the aggregator, where it answers, knows of nothing that makes figures wrong.
  func readiness(_ request: GatewayRequest) async -> Reply {
    async let queryAnswers = answers { () async throws(RPCError) in
      _ = try await query.listMeters()
    }
    async let collectorAnswers = answers { () async throws(RPCError) in
      _ = try await collector.status()
    }
    async let hasFault = hasFault()
    let services = [("query", await queryAnswers), ("collector", await collectorAnswers)]
    let missing = services.filter { !$0.1 }.map(\.0)
    let isFaulty = await hasFault
    guard !missing.isEmpty else {
      guard isFaulty else { return Reply { $0.member("status", string: "ok") } }
      return Surface.native.reply(
        HTTPProblem(
          .serviceUnavailable, "NotReady",
          "figures are wrong or stay behind: the faults of the aggregator are in /v1/status",
          fields: [.init(field: "aggregator", message: "reports a fault")]
        ).retry(afterSeconds: 1))
    }
    return Surface.native.reply(
      HTTPProblem(
        .serviceUnavailable, "NotReady",
        "\(missing.joined(separator: " and ")) \(missing.count == 1 ? "does" : "do") not answer",
        fields: missing.map { .init(field: $0, message: "does not answer") }
      ).retry(afterSeconds: 1))
  }

  /// Whether the aggregator knows of something that makes figures wrong. What that is, not everybody is told.
  private func hasFault() async -> Bool {
    do throws(RPCError) {
      return try await query.status().aggregator?.faults.isEmpty == false
    } catch {
      return false
    }
  }

  private func answers(_ call: () async throws(RPCError) -> Void) async -> Bool {
    do throws(RPCError) {
      try await call()
      return true
    } catch {
      return false
    }
  }

  func status(_ request: GatewayRequest) async throws -> Reply {
    try request.refuseParameters()
    let status = try await query.status()
    return Reply { writer in
      writer.member("healthy", status.problems.isEmpty)
      writer.member(
        "problems",
        array: { writer in for problem in status.problems { writer.string(problem) } })
      writer.member("openWindow", string: status.openWindow.description)
      writer.member("appliedPosition", status.appliedPosition)
      writer.member("appliedReportedTime", string: status.appliedReportedTime.description)
      if let collector = status.collector {
        writer.member("collector", object: { writer in writer.members(of: collector) })
      }
      if let aggregator = status.aggregator {
        writer.member("aggregator", object: { writer in writer.members(of: aggregator) })
      }
    }
  }
}

extension JSONWriter {
  fileprivate mutating func members(of collector: CollectorStatus) {
    member("nextPosition", collector.nextPosition)
    member("lastReportedTime", string: collector.lastReportedTime.description)
    member("journalBytes", collector.journalBytes)
    member("accepted", collector.accepted)
    member("duplicates", collector.duplicates)
    member("refused", collector.refused)
    member("quarantineEntries", collector.quarantineEntries)
    member("quarantineBytes", collector.quarantineBytes)
    member("parkedCorrections", collector.parkedCorrections)
    member("dedupEntries", collector.dedupEntries)
    member("diskFreeBytes", collector.diskFreeBytes)
    member("diskReserveBytes", collector.diskReserveBytes)
    member("refusing", string: collector.refusing)
    member("quarantineDropped", collector.quarantineDropped)
    member("clockProblem", string: collector.clockProblem)
  }

  fileprivate mutating func members(of aggregator: AggregatorStatus) {
    member("nextPosition", aggregator.nextPosition)
    member("durablePosition", aggregator.durablePosition)
    member("appliedReportedTime", string: aggregator.appliedReportedTime.description)
    member("openWindow", string: aggregator.openWindow.description)
    member("appliedEvents", aggregator.appliedEvents)
    member("unappliedEvents", aggregator.unappliedEvents)
    member("commits", aggregator.commits)
    member("following", aggregator.isFollowing)
    member("problem", string: aggregator.problem)
    member("faults", array: { writer in for fault in aggregator.faults { writer.string(fault) } })
  }
}
