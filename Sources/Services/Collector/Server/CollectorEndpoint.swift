internal import CollectorClient
package import GRPCCore
internal import StackmeterCore
package import StackmeterRPC
internal import StackmeterWire

/// The collector's calls: messages in, one call of `Collector`, messages out.
package struct CollectorEndpoint: RPCEndpoint {
  package static let serviceName = CollectorMethods.service
  /// Batches of one stream that are worked on at once. The next waits in the sender.
  static let batchesInFlightMax = 8

  private let collector: Collector

  package init(_ collector: Collector) {
    self.collector = collector
  }

  package func register<Transport: ServerTransport>(with routes: inout RPCRoutes<Transport>) {
    let collector = collector
    routes.unary(CollectorMethods.report) { request in
      let results = try await collector.report(request.batches.map(\.batch))
      var inOrder = [EventResult?](repeating: nil, count: request.count)
      for (sourced, results) in zip(request.batches, results) {
        for (index, result) in zip(sourced.requestIndices, results) { inOrder[index] = result }
      }
      return ReportResponse(results: inOrder.map { $0! })
    }
    routes.bidirectional(CollectorMethods.reportStream) { batches, writer in
      try await Self.reportStream(collector, batches, writer)
    }
    routes.serverStreaming(CollectorMethods.readJournal) { request, writer in
      try await collector.readJournal(from: request.fromPosition, follow: request.follow) {
        try await writer.write($0)
      }
    }
    routes.unary(CollectorMethods.listQuarantine) { request in
      guard request.pageSize <= ListQuarantineRequest.pageSizeMax else {
        throw RPCError(
          code: .invalidArgument,
          message: "page_size: at most \(ListQuarantineRequest.pageSizeMax)")
      }
      let pageSize =
        request.pageSize == 0 ? ListQuarantineRequest.pageSizeDefault : Int(request.pageSize)
      return try collector.quarantine(after: request.afterNumber, pageSize: pageSize)
    }
    routes.unary(CollectorMethods.getStatus) { _ in collector.status() }
  }

  /// Works on several batches at once, so that one sync serves them all, and answers in their order.
  private static func reportStream(
    _ collector: Collector, _ batches: RPCAsyncSequence<NumberedBatch, any Error>,
    _ writer: RPCWriter<BatchResult>
  ) async throws {
    try await withThrowingTaskGroup(of: (Int, BatchResult).self) { group in
      var started = 0
      var answered = 0
      var finished: [Int: BatchResult] = [:]
      func answerNext() async throws {
        guard let (order, result) = try await group.next() else { return }
        finished[order] = result
        while let next = finished.removeValue(forKey: answered) {
          try await writer.write(next)
          answered += 1
        }
      }
      for try await numbered in batches {
        let order = started
        group.addTask {
          let results = try await collector.report([numbered.batch])
          return (order, BatchResult(number: numbered.number, results: results[0]))
        }
        started += 1
        while started - answered >= batchesInFlightMax { try await answerNext() }
      }
      while answered < started { try await answerNext() }
    }
  }
}
