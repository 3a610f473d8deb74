package import CollectorClient
internal import GRPCCore
internal import StackmeterRuntime
package import StackmeterStore
internal import StackmeterWire
internal import Synchronization

/// Runs rounds of `UsageAudit` in the background, one after the other.
package actor Auditor {
  /// What one reading of the journal may take; what is left is read in the next round.
  private static let readTimeout: Duration = .seconds(300)
  /// Longer than any process runs.
  private static let never: Duration = .seconds(1_000_000_000)

  private let open: @Sendable () throws(StoreError) -> any UsageReader
  private let report: @Sendable ([String]) -> Void
  private let interval: Duration
  private let audit = Mutex(UsageAudit())

  /// `open` makes a connection that only reads; `report` is told after each round all that differs. A round begins
  /// `interval` after the last one has ended; where that is zero, there is none.
  package init(
    open: @escaping @Sendable () throws(StoreError) -> any UsageReader,
    report: @escaping @Sendable ([String]) -> Void, interval: Duration
  ) {
    self.open = open
    self.report = report
    self.interval = interval
  }

  /// Audits until cancelled. A round that cannot be made is made later: what is in its way is told by who needs it.
  package func run(_ collector: CollectorClient) async throws(CancellationError) {
    while true {
      do { try await Task.sleep(for: interval > .zero ? interval : Auditor.never) } catch {
        throw CancellationError()
      }
      do {
        try await round(collector)
      } catch {
        // It may have stopped at any place.
        audit.withLock { $0.forget() }
      }
    }
  }

  private func round(_ collector: CollectorClient) async throws {
    let open = open
    let begun = await blocking { [self] in
      Result { () throws(StoreError) in
        let reader = try open()
        return try audit.withLock { (audit) throws(StoreError) in try audit.begin(reader) }
      }
    }
    guard let (positions, journalID) = try begun.get() else { return }
    if !positions.isEmpty {
      try await collector.readJournal(
        from: positions.lowerBound, of: journalID, follow: false, timeout: Auditor.readTimeout
      ) { [self] chunks in
        for try await chunk in chunks {
          try audit.withLock { try $0.take(chunk) }
          if chunk.nextPosition >= positions.upperBound { break }
        }
      }
    }
    let finished = await blocking { [self] in
      Result { () throws(StoreError) in
        let reader = try open()
        return try audit.withLock { (audit) throws(StoreError) in try audit.finish(reader) }
      }
    }
    report(try finished.get())
  }
}
