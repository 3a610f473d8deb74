internal import StackmeterCore

/// Looks through the closed windows, newest first, a bounded number of rows at a time: whether the rows still make the
/// hash that was written down when the window closed.
///
/// Not safe for threads, like its reader.
package struct UsageScrub {
  private let reader: any UsageReader
  private var before: Hour?
  private var current: (window: ClosedWindow, hasher: WindowHasher, after: SeriesHour?)?
  private(set) package var windowCount = 0
  private(set) package var rowCount = 0

  /// `reader` is a connection that only the scrub uses.
  package init(_ reader: any UsageReader) {
    self.reader = reader
  }

  package enum Step: Hashable, Sendable {
    /// There is more to look at.
    case working
    /// A sentence that names the window; there is more to look at.
    case damage(String)
    case finished
  }

  /// Looks at `rowsMax` rows at most.
  package mutating func step(rowsMax: Int) throws(StoreError) -> Step {
    guard let (window, started, after) = current else { return try begin() }
    var hasher = started
    let rows: [WindowRow]
    do throws(StoreError) {
      rows = try reader.rows(of: window.window, after: after, limit: rowsMax)
    } catch  where error.kind == .system {
      current = nil
      return .damage(UsageScrub.sentence(window.window, "cannot be read (\(error.message))"))
    }
    guard let last = rows.last else {
      current = nil
      windowCount += 1
      return try finish(window, hasher)
    }
    for row in rows { hasher.add(row) }
    rowCount += rows.count
    current = (window, hasher, last.key)
    return .working
  }

  private mutating func begin() throws(StoreError) -> Step {
    let next = try reader.closedWindows(before: before, limit: 2)
    let position = try reader.position()
    guard let window = next.first, window.window >= position.retainedFrom else { return .finished }
    before = window.window
    let hasher = WindowHasher(
      previous: next.count > 1 ? next[1].hash : nil, journalID: position.journalID,
      cell: try reader.cell(), window: window.window, endPosition: window.endPosition)
    current = (window, hasher, nil)
    return .working
  }

  private func finish(
    _ window: ClosedWindow, _ hasher: WindowHasher
  ) throws(StoreError) -> Step {
    var hasher = hasher
    guard hasher.finish() != window else { return .working }
    // Where the retention has given it up meanwhile, its rows are being removed.
    guard try reader.position().retainedFrom <= window.window else { return .working }
    return .damage(UsageScrub.sentence(window.window, "is not as it was closed"))
  }

  private static func sentence(_ window: Hour, _ problem: String) -> String {
    "the closed window \(window.start) \(problem): the usage database is damaged or was changed; "
      + "restore it, or move it away so that it is rebuilt from the journal"
  }
}
