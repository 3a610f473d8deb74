package import StackmeterCore
internal import StackmeterJournal
package import StackmeterWire

/// What operators do with what was refused. Files are read on a thread of their own; what is decided, the commit
/// thread decides.
extension Collector {
  /// The records of one page of the quarantine; a single one is far smaller.
  private static let pageBytesMax = 1 << 20
  /// The records that one call redrives or discards, where a filter chooses them.
  private static let chosenBytesMax = 4 << 20

  /// What was refused, oldest first. A page ends early where it would not fit a message.
  package func quarantine(
    _ request: ListQuarantineRequest
  ) async throws(CollectorError) -> ListQuarantineResponse {
    let page = try await page(
      after: request.afterNumber, request.filter, isOpenOnly: !request.includeResolved,
      countMax: request.entriesMax, bytesMax: Collector.pageBytesMax)
    return ListQuarantineResponse(
      entries: page.events.map { $0.entry(quarantineReader.view.resolution(of: $0.number)) },
      more: page.hasMore, lastNumber: page.lastNumber)
  }

  package func quarantineEntry(_ number: UInt64) async throws(CollectorError) -> QuarantineEntry {
    guard let event = try await events([number]).first else { throw .noQuarantineEntry(number) }
    return event.entry(quarantineReader.view.resolution(of: number))
  }

  /// Takes entries again, as if they were reported now; each at most once, whatever crashes.
  package func redriveQuarantine(
    _ choice: QuarantineChoice
  ) async throws(CollectorError) -> ResolveQuarantineResponse {
    try await resolve(choice) { events, answer in .redrive(events, answer) }
  }

  /// Closes entries without counting them.
  package func discardQuarantine(
    _ choice: QuarantineChoice
  ) async throws(CollectorError) -> ResolveQuarantineResponse {
    try await resolve(choice) { events, answer in .discard(events, answer) }
  }

  private func resolve(
    _ choice: QuarantineChoice,
    _ make:
      @escaping @Sendable ([RefusedEvent], @escaping Submission.Answer<[QuarantineResult]>) ->
      Submission
  ) async throws(CollectorError) -> ResolveQuarantineResponse {
    var page: QuarantineReader.Page
    switch choice {
    case .numbers(let numbers):
      page = QuarantineReader.Page(
        events: try await events(numbers), lastNumber: numbers.max() ?? 0)
    case .matching(let filter, let number, let limit):
      page = try await self.page(
        after: number, filter, isOpenOnly: true, countMax: limit,
        bytesMax: Collector.chosenBytesMax)
    }
    let events = page.events
    var results: [QuarantineResult] = []
    if !events.isEmpty {
      results = try await submit(weight: events.reduce(0) { $0 + $1.event.byteCount }) { answer in
        make(events, answer)
      }
    }
    if case .numbers(let numbers) = choice {
      let found = Set(events.map(\.number))
      results += Set(numbers).subtracting(found).map {
        QuarantineResult(number: $0, state: .absent)
      }
      results.sort { $0.number < $1.number }
    }
    return ResolveQuarantineResponse(
      results: results, more: page.hasMore, lastNumber: page.lastNumber)
  }

  private func page(
    after number: UInt64, _ filter: QuarantineFilter, isOpenOnly: Bool, countMax: Int,
    bytesMax: Int
  ) async throws(CollectorError) -> QuarantineReader.Page {
    try await reader.read { [quarantineReader] () throws(CollectorError) in
      do throws(RecordLogError) {
        return try quarantineReader.page(
          after: number, matching: filter, isOpenOnly: isOpenOnly, countMax: countMax,
          bytesMax: bytesMax)
      } catch {
        throw .logDamaged(error)
      }
    }
  }

  private func events(_ numbers: [UInt64]) async throws(CollectorError) -> [RefusedEvent] {
    try await reader.read { [quarantineReader] () throws(CollectorError) in
      do throws(RecordLogError) {
        return try quarantineReader.events(numbers)
      } catch {
        throw .logDamaged(error)
      }
    }
  }
}
