internal import CollectorClient
package import GRPCCore
internal import StackmeterCore
package import StackmeterRPC
internal import StackmeterWire

/// The collector's calls: messages in, one call of `Collector`, messages out.
package struct CollectorEndpoint: RPCEndpoint {
  package static let serviceName = CollectorMethods.service

  private let collector: Collector

  package init(_ collector: Collector) {
    self.collector = collector
  }

  package func register<Transport: ServerTransport>(with routes: inout RPCRoutes<Transport>) {
    let collector = collector
    routes.unary(CollectorMethods.report, quick: true) { request in
      let results = try await collector.report(request.batches.map(\.batch))
      var inOrder = [EventResult?](repeating: nil, count: request.count)
      for (sourced, results) in zip(request.batches, results) {
        for (index, result) in zip(sourced.requestIndices, results) { inOrder[index] = result }
      }
      return ReportResponse(results: inOrder.map { $0! })
    }
    routes.bidirectional(CollectorMethods.reportStream) { batches, writer in
      try await ReportStream(collector).run(batches, writer)
    }
    routes.serverStreaming(CollectorMethods.readJournal) { request, writer in
      try await collector.readJournal(
        from: request.fromPosition, of: request.journalID, follow: request.follow
      ) { try await writer.write($0) }
    }
    routes.unary(CollectorMethods.listQuarantine) { try await collector.quarantine($0) }
    routes.unary(CollectorMethods.getQuarantineEntry) { request in
      try await collector.quarantineEntry(request.number)
    }
    routes.unary(CollectorMethods.redriveQuarantine) { request in
      try await collector.redriveQuarantine(request.choice)
    }
    routes.unary(CollectorMethods.discardQuarantine) { request in
      try await collector.discardQuarantine(request.choice)
    }
    routes.unary(CollectorMethods.confirmApplied) { request in
      try collector.confirmApplied(request.position, of: request.journalID)
      return ConfirmAppliedResponse()
    }
    routes.unary(CollectorMethods.heartbeat) { request in
      HeartbeatResponse(source: try await collector.heartbeat(request.heartbeat))
    }
    routes.unary(CollectorMethods.findUsage) { try await collector.findUsage($0) }
    routes.unary(CollectorMethods.getStatus) { _ in collector.status() }
  }
}
