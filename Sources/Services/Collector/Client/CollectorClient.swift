package import GRPCCore
package import StackmeterCore
package import StackmeterRPC
package import StackmeterWire

/// Calls the collector. Reports may be repeated blindly: an event counts once, however often it is sent.
package struct CollectorClient: Sendable {
  /// How long a report may take: a group commit on a slow disk, not a dead one.
  package static let reportTimeout: Duration = .seconds(10)
  package static let statusTimeout: Duration = .seconds(1)

  package let channel: any RPCChannel

  package init(_ channel: any RPCChannel) {
    self.channel = channel
  }

  /// Reports rows; one result for each, in order. At most `EventLimits.batchEventsMax`.
  package func report(_ events: [UsageEvent]) async throws(RPCError) -> [EventResult] {
    let response = try await channel.call(
      CollectorMethods.report, ReportRequest(events), timeout: CollectorClient.reportTimeout)
    guard response.results.count == events.count else {
      throw RPCError(
        code: .internalError,
        message: "the collector gave \(response.results.count) results for \(events.count) events")
    }
    return response.results
  }

  /// Reports batches, one after the other; one result for each event, in order. After an error nothing is known of
  /// any of them.
  package func report(batches: [EventBatch]) async throws(RPCError) -> [EventResults] {
    do {
      return try await reportStream(timeout: CollectorClient.reportTimeout) { writer in
        for (number, batch) in batches.enumerated() {
          try await writer.write(NumberedBatch(number: UInt64(number), batch: batch))
        }
      } consume: { answers in
        var results: [EventResults] = []
        for try await answer in answers { results.append(answer.results) }
        guard results.count == batches.count,
          zip(results, batches).allSatisfy({ $0.count == $1.count })
        else {
          throw RPCError(
            code: .internalError, message: "the collector did not answer every event")
        }
        return results
      }
    } catch let error as RPCError {
      throw error
    } catch {
      throw RPCError(code: .unknown, message: "\(error)")
    }
  }

  /// Reports batches as `produce` writes them, and lends the results as they come.
  package func reportStream<Result: Sendable>(
    timeout: Duration, produce: @escaping @Sendable (RPCWriter<NumberedBatch>) async throws -> Void,
    consume: @escaping @Sendable (RPCAsyncSequence<BatchResult, any Error>) async throws -> Result
  ) async throws -> Result {
    try await channel.bidirectional(
      CollectorMethods.reportStream, timeout: timeout, produce: produce, consume: consume)
  }

  /// Reads the journal from a position for at most `timeout`; the reader then goes on from where it is, and
  /// says which journal it has read.
  package func readJournal<Result: Sendable>(
    from position: UInt64, of journalID: UInt64 = 0, follow: Bool, timeout: Duration,
    _ consume:
      @escaping @Sendable (RPCAsyncSequence<JournalChunk, any Error>) async throws ->
      Result
  ) async throws -> Result {
    try await channel.serverStreaming(
      CollectorMethods.readJournal,
      ReadJournalRequest(fromPosition: position, follow: follow, journalID: journalID),
      timeout: timeout, consume)
  }

  package func listQuarantine(
    _ request: ListQuarantineRequest
  ) async throws(RPCError) -> ListQuarantineResponse {
    try await channel.call(
      CollectorMethods.listQuarantine, request, timeout: CollectorClient.reportTimeout)
  }

  package func quarantineEntry(_ number: UInt64) async throws(RPCError) -> QuarantineEntry {
    try await channel.call(
      CollectorMethods.getQuarantineEntry, GetQuarantineEntryRequest(number: number),
      timeout: CollectorClient.reportTimeout)
  }

  /// Takes refused events again. May be repeated blindly: each counts once.
  package func redriveQuarantine(
    _ choice: QuarantineChoice
  ) async throws(RPCError) -> ResolveQuarantineResponse {
    try await channel.call(
      CollectorMethods.redriveQuarantine, ResolveQuarantineRequest(choice),
      timeout: CollectorClient.reportTimeout)
  }

  /// Closes refused events without counting them.
  package func discardQuarantine(
    _ choice: QuarantineChoice
  ) async throws(RPCError) -> ResolveQuarantineResponse {
    try await channel.call(
      CollectorMethods.discardQuarantine, ResolveQuarantineRequest(choice),
      timeout: CollectorClient.reportTimeout)
  }

  /// Says that every event of the journal before `position` is applied, durably.
  package func confirmApplied(
    position: UInt64, of journalID: UInt64
  ) async throws(RPCError) {
    _ = try await channel.call(
      CollectorMethods.confirmApplied,
      ConfirmAppliedRequest(position: position, journalID: journalID),
      timeout: CollectorClient.statusTimeout)
  }

  /// Says how far a source's usage is reported. May be repeated blindly.
  package func heartbeat(_ heartbeat: Heartbeat) async throws(RPCError) -> HeartbeatResponse {
    try await channel.call(
      CollectorMethods.heartbeat, HeartbeatRequest(heartbeat),
      timeout: CollectorClient.reportTimeout)
  }

  /// What the journal counts in some positions; a call looks at so much and no more.
  package func findUsage(_ request: FindUsageRequest) async throws(RPCError) -> FindUsageResponse {
    try await channel.call(
      CollectorMethods.findUsage, request, timeout: CollectorClient.reportTimeout)
  }

  package func status() async throws(RPCError) -> CollectorStatus {
    try await channel.call(
      CollectorMethods.getStatus, GetStatusRequest(), timeout: CollectorClient.statusTimeout)
  }
}
