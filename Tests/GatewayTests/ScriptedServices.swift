import CollectorClient
import GRPCCore
import QueryClient
import StackmeterCore
import StackmeterRPC
import StackmeterWire
import Synchronization

/// A query service that answers as a test says and remembers what it was asked.
final class ScriptedQuery: RPCEndpoint {
  static let serviceName = QueryMethods.service

  struct Script {
    var pages: [ListUsageResponse] = []
    var totals: [UsageTotal] = []
    var meters: [Meter] = []
    var windows: [ReportingWindow] = []
    var sources: [SourceProgress] = []
    var subscriptions: [Subscription] = []
    var nextAfter = "next"
    var subscriptionRequests: [ListSubscriptionsRequest] = []
    /// Of every answer about usage.
    var missing = MissingSources.none
    var status = PipelineStatus()
    /// Thrown by every method where there is one.
    var failure: RPCError?
    var usageRequests: [ListUsageRequest] = []
    var summaryRequests: [SummarizeRequest] = []
    var windowRequests: [ListWindowsRequest] = []
    /// Who asked what usage costs.
    var ratedCallers: [Caller] = []
    var exports: [ExportUsageResponse] = []
    /// How long each part of an export takes.
    var exportTime = Duration.zero
    /// Thrown where there is no further export.
    var failureAfterExports: RPCError?
    var exportRequests: [ExportUsageRequest] = []
  }

  private let script = Mutex(Script())

  func with<Result>(_ body: (inout sending Script) -> sending Result) -> sending Result {
    script.withLock(body)
  }

  func answer<Response>(_ body: (inout Script) -> Response) throws -> Response {
    let result: Result<Response, RPCError> = script.withLock { script in
      if let failure = script.failure { return .failure(failure) }
      return .success(body(&script))
    }
    return try result.get()
  }

  func register<Transport: ServerTransport>(with routes: inout RPCRoutes<Transport>) {
    routes.unary(QueryMethods.listUsage) { [self] request in
      try answer { script in
        script.usageRequests.append(request)
        guard !script.pages.isEmpty else {
          return ListUsageResponse(aggregates: [], nextPageToken: "")
        }
        return script.pages.removeFirst()
      }
    }
    routes.unary(QueryMethods.exportUsage) { [self] request in
      try await Task.sleep(for: script.withLock(\.exportTime))
      if let failure = script.withLock({ $0.exports.isEmpty ? $0.failureAfterExports : nil }) {
        throw failure
      }
      return try answer { script in
        script.exportRequests.append(request)
        guard !script.exports.isEmpty else {
          return ExportUsageResponse(
            data: [], rows: 0, nextPageToken: "", windows: Hour(index: 1)..<Hour(index: 1))
        }
        return script.exports.removeFirst()
      }
    }
    routes.unary(QueryMethods.summarize) { [self] request in
      try answer { script in
        script.summaryRequests.append(request)
        return SummarizeResponse(totals: script.totals, missing: script.missing)
      }
    }
    routes.unary(QueryMethods.listMeters) { [self] _ in
      try answer { ListMetersResponse(meters: $0.meters) }
    }
    routes.unary(QueryMethods.listWindows) { [self] request in
      try answer { script in
        script.windowRequests.append(request)
        return ListWindowsResponse(windows: script.windows, missing: script.missing)
      }
    }
    routes.unary(QueryMethods.listSubscriptions) { [self] request in
      try answer { script in
        script.subscriptionRequests.append(request)
        return ListSubscriptionsResponse(
          subscriptions: script.subscriptions, nextAfter: script.nextAfter)
      }
    }
    routes.unary(QueryMethods.listSources) { [self] _ in
      try answer { ListSourcesResponse(sources: $0.sources) }
    }
    routes.unary(QueryMethods.getStatus) { [self] _ in try answer { $0.status } }
  }
}

/// A collector that accepts every event, or answers as a test says.
final class ScriptedCollector: RPCEndpoint {
  static let serviceName = CollectorMethods.service

  struct Script {
    /// By the event's id; what is not here is accepted.
    var results: [String: EventResult] = [:]
    var failure: RPCError?
    /// Calls that are answered before `failure` begins.
    var callsBeforeFailure = 0
    var calls: [[UsageEvent]] = []
    var entries: [QuarantineEntry] = []
    var hasMoreEntries = false
    var listings: [ListQuarantineRequest] = []
    var redriven: [QuarantineChoice] = []
    var discarded: [QuarantineChoice] = []
    var resolved: [QuarantineResult] = []
    var heartbeats: [Heartbeat] = []
  }

  private let script = Mutex(Script())

  func with<Result>(_ body: (inout sending Script) -> sending Result) -> sending Result {
    script.withLock(body)
  }

  private func answer<Response>(_ body: (inout Script) -> Response) throws -> Response {
    let result: Result<Response, RPCError> = script.withLock { script in
      if let failure = script.failure { return .failure(failure) }
      return .success(body(&script))
    }
    return try result.get()
  }

  func register<Transport: ServerTransport>(with routes: inout RPCRoutes<Transport>) {
    routes.bidirectional(CollectorMethods.reportStream) { [self] batches, writer in
      for try await numbered in batches {
        let results: Result<EventResults, RPCError> = script.withLock { script in
          if let failure = script.failure, script.calls.count >= script.callsBeforeFailure {
            return .failure(failure)
          }
          let events = (0..<numbered.batch.count).map { numbered.batch.event($0) }
          script.calls.append(events)
          return .success(
            EventResults(
              events.map {
                script.results[$0.id] ?? .accepted(position: 1, reportedTime: Instant(seconds: 1))
              }))
        }
        try await writer.write(BatchResult(number: numbered.number, results: try results.get()))
      }
    }
    routes.unary(CollectorMethods.report) { [self] request in
      try answer { script in
        let events = request.batches.flatMap { sourced in
          (0..<sourced.batch.count).map { sourced.batch.event($0) }
        }
        script.calls.append(events)
        return ReportResponse(
          results: events.map {
            script.results[$0.id] ?? .accepted(position: 1, reportedTime: Instant(seconds: 1))
          })
      }
    }
    routes.unary(CollectorMethods.listQuarantine) { [self] request in
      try answer { script in
        script.listings.append(request)
        return ListQuarantineResponse(
          entries: script.entries, more: script.hasMoreEntries, lastNumber: 77)
      }
    }
    routes.unary(CollectorMethods.getQuarantineEntry) { [self] request in
      let entry = try answer { $0.entries.first { $0.number == request.number } }
      guard let entry else { throw RPCError(code: .notFound, message: "there is no such entry") }
      return entry
    }
    routes.unary(CollectorMethods.redriveQuarantine) { [self] request in
      try answer { script in
        script.redriven.append(request.choice)
        return ResolveQuarantineResponse(
          results: script.resolved, more: script.hasMoreEntries, lastNumber: 77)
      }
    }
    routes.unary(CollectorMethods.discardQuarantine) { [self] request in
      try answer { script in
        script.discarded.append(request.choice)
        return ResolveQuarantineResponse(
          results: script.resolved, more: script.hasMoreEntries, lastNumber: 77)
      }
    }
    routes.unary(CollectorMethods.heartbeat) { [self] request in
      try answer { script in
        script.heartbeats.append(request.heartbeat)
        var table = SourceTable()
        table.take(request.heartbeat, time: request.heartbeat.completeUntil, position: 1)
        return HeartbeatResponse(source: table[request.heartbeat.source])
      }
    }
    routes.unary(CollectorMethods.getStatus) { [self] _ in
      if let failure = script.withLock({ $0.failure }) { throw failure }
      return CollectorStatus()
    }
  }
}

extension ReportRequest {
  /// The events in the order of the request.
  var events: [UsageEvent] {
    var events: [Int: UsageEvent] = [:]
    for sourced in batches {
      for (index, place) in sourced.requestIndices.enumerated() {
        events[place] = sourced.batch.event(index)
      }
    }
    return (0..<count).map { events[$0]! }
  }
}
