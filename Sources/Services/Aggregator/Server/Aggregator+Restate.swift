internal import CollectorClient
internal import Logging
internal import StackmeterCore
internal import StackmeterStore
package import StackmeterWire

/// Counting meters anew that the catalog says another aggregation of.
extension Aggregator {
  /// How far a restatement may be behind when the counting waits for it.
  private static let positionsBehindMax: UInt64 = 100_000
  /// How often it tries to come so close.
  private static let roundsMax = 20

  /// Books the differences together with the new rules, or says what they would be.
  ///
  /// The journal is read while the counting goes on. Only for its last part, and for the transaction itself, the
  /// counting waits, so that the new rules count from exactly there.
  package func restate(_ request: RestateRequest) async throws -> RestateResponse {
    guard !isRestating else { throw RestateError.underWay }
    isRestating = true
    defer { isRestating = false }
    do {
      return try await restateAlone(request)
    } catch let error as StoreError {
      throw RestateError.store(error)
    }
  }

  private func restateAlone(_ request: RestateRequest) async throws -> RestateResponse {
    guard let collector, let path = configuration.restatePath else {
      throw RestateError.notFollowing
    }
    let changes = try counter.changes()
    guard !changes.isEmpty else {
      var response = RestateResponse()
      response.position = counter.position.nextPosition
      response.window = counter.position.openWindow
      return response
    }
    let restatement = try Restatement(
      path: path, changes, latenessLimitDays: configuration.latenessLimitDays,
      limits: configuration.restateLimits)
    var rounds = 0
    repeat {
      try await restatement.read(collector, upTo: counter.position)
      rounds += 1
    } while !request.isDryRun && rounds < Aggregator.roundsMax
      && counter.position.nextPosition - restatement.position > Aggregator.positionsBehindMax
    guard !request.isDryRun else {
      var response = try await restatement.finish()
      try requireWhole(response, counter.position.openWindow)
      response.window = counter.position.openWindow
      return response
    }
    return try await bookHeld(restatement, collector)
  }

  /// The last part, with the counting held.
  private func bookHeld(
    _ restatement: Restatement, _ collector: CollectorClient
  ) async throws -> RestateResponse {
    isHeld = true
    defer { isHeld = false }
    try await restatement.read(collector, upTo: counter.position)
    var response = try await restatement.finish()
    try requireWhole(response, counter.position.openWindow)
    try Task.checkCancellation()
    response.window = counter.position.openWindow
    response.unapplied = UInt64(try restatement.book(into: counter))
    response.isApplied = true
    noteRestated(response)
    return response
  }

  /// What may still be reported and corrected must be in the journal, or it would be counted without what it is to be
  /// compared with.
  private func requireWhole(
    _ response: RestateResponse, _ window: Hour
  ) throws(RestateError) {
    let correctable = Hour(index: window.index - Int64(configuration.latenessLimitDays) * 24)
    guard let fromHour = response.fromHour, fromHour > correctable else { return }
    throw .journalTooShort(fromHour: fromHour, correctableFrom: correctable)
  }
}

extension Restatement {
  fileprivate func read(
    _ collector: CollectorClient, upTo position: PipelinePosition
  ) async throws {
    try await read(collector, of: position.journalID, upTo: position.nextPosition)
  }
}
