internal import CollectorClient
package import GRPCCore
internal import StackmeterCore
package import StackmeterRPC
internal import StackmeterWire
internal import Synchronization

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
    routes.unary(CollectorMethods.getStatus) { _ in collector.status() }
  }

  /// Works on several batches at once, so that one sync serves them all, and answers each as soon as it and all
  /// before it are done: a reporter may wait for one result before it sends the next batch.
  private static func reportStream(
    _ collector: Collector, _ batches: RPCAsyncSequence<NumberedBatch, any Error>,
    _ writer: RPCWriter<BatchResult>
  ) async throws {
    let failure = FirstFailure()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        try await withThrowingTaskGroup(of: Void.self) { inFlight in
          var count = 0
          var previous = StopSignal()
          previous.raise()
          for try await numbered in batches {
            if count == batchesInFlightMax {
              try await inFlight.next()
              count -= 1
            }
            let (turn, next) = (previous, StopSignal())
            inFlight.addTask {
              do {
                let results = try await collector.report([numbered.batch])
                await turn.wait()
                try Task.checkCancellation()
                try await writer.write(
                  BatchResult(number: numbered.number, results: results[0]))
                next.raise()
              } catch {
                failure.set(error)
                throw error
              }
            }
            count += 1
            previous = next
          }
          try await inFlight.waitForAll()
        }
      }
      // Ends the wait for the next batch once one has failed.
      group.addTask { try await failure.wait() }
      defer { group.cancelAll() }
      try await group.next()
    }
  }
}

/// The error that ends a stream: the first that happened.
private final class FirstFailure: Sendable {
  private let error = Mutex<(any Error)?>(nil)
  private let isSet = StopSignal()

  func set(_ error: any Error) {
    self.error.withLock { $0 = $0 ?? error }
    isSet.raise()
  }

  /// Throws it once there is one; returns when the task is cancelled.
  func wait() async throws {
    await isSet.wait()
    if let error = error.withLock({ $0 }) { throw error }
  }
}
