internal import StackmeterCore
internal import StackmeterStore

/// What is compared of one window.
extension Verification {
  /// Compares a window that is over.
  mutating func compare(_ window: RecountedWindow) throws(AuditError) {
    defer { isFirstWhole = true }
    guard isFirstWhole else { return skip(upTo: window.window) }
    guard let stored = nextStored(window) else { return }
    let hashBefore = previousHash
    previousHash = stored.hash
    let isRemoved = stored.window < target.position.retainedFrom
    if isRemoved { report.removedWindows += 1 } else { report.windows += 1 }
    var expected = ExpectedRows(window, target.setAside)
    if stored.endPosition != 0, stored.endPosition != window.endPosition {
      report.add(
        "window \(window.window): it ended at position \(stored.endPosition), but in the journal "
          + "at \(window.endPosition ?? 0)")
    }
    if !isRemoved {
      try compareRows(window, &expected)
      compareMissingSources(window)
    }
    compareHash(stored, after: hashBefore, window, expected, isRemoved: isRemoved)
  }

  /// The window is not whole in this journal, and neither is any in front of it.
  private mutating func skip(upTo window: Hour) {
    while nextClosed < target.closed.count, target.closed[nextClosed].window <= window {
      previousHash = target.closed[nextClosed].hash
      nextClosed += 1
      report.skippedWindows += 1
    }
  }

  /// What the usage database says of a window; nil where there is nothing to compare.
  private mutating func nextStored(_ window: RecountedWindow) -> ClosedWindow? {
    while nextClosed < target.closed.count, target.closed[nextClosed].window < window.window {
      let extra = target.closed[nextClosed]
      report.add(
        "window \(extra.window): the usage database has closed it with \(extra.rowCount) "
          + "aggregates, but the journal has nothing for it")
      previousHash = extra.hash
      nextClosed += 1
    }
    // What was restated may be all of a window, and the journal may not have what that comes from.
    guard !window.isEmpty || window.restatedUnknownBefore != nil else { return nil }
    guard nextClosed < target.closed.count, target.closed[nextClosed].window == window.window else {
      guard !window.isEmpty else { return nil }
      report.add(
        "window \(window.window): the journal has \(window.rows.count) aggregates for it, but the "
          + "usage database has not closed it with any")
      return nil
    }
    defer { nextClosed += 1 }
    return target.closed[nextClosed]
  }

  /// Compares the sources that were behind when a window ended.
  private mutating func compareMissingSources(_ window: RecountedWindow) {
    guard let names = window.missing else { return }
    let expected = MissingSources(
      names: Array(names.prefix(MissingSources.namesMax)),
      others: UInt64(max(0, names.count - MissingSources.namesMax)))
    let found = target.missing[window.window] ?? .none
    guard found != expected else { return }
    report.add(
      "window \(window.window): expected that \(Self.text(expected)) had not reported to its end, "
        + "found \(Self.text(found))")
  }

  private static func text(_ missing: MissingSources) -> String {
    missing.isEmpty ? "no source" : missing.description
  }

  private mutating func compareRows(
    _ window: RecountedWindow, _ expected: inout ExpectedRows
  ) throws(AuditError) {
    var after: SeriesHour?
    while true {
      let page = try store { () throws(StoreError) in
        try reader.rows(of: window.window, after: after, limit: Verification.rowsPerRead)
      }
      guard let last = page.last else { break }
      try compare(page, window, &expected)
      after = last.key
    }
    try compareMissing(window, &expected)
  }

  /// Compares the rows of the open window, which has no hash.
  mutating func compareOpen(_ rows: [WindowRow]) throws(AuditError) {
    guard isFirstWhole else { return skip(upTo: target.position.openWindow) }
    let window = recount.current()
    guard window.window == target.position.openWindow else {
      return report.add(
        "the open window is \(target.position.openWindow), but in the journal \(window.window)")
    }
    var expected = ExpectedRows(window, target.setAside)
    try compare(rows, window, &expected)
    try compareMissing(window, &expected)
  }

  private mutating func compare(
    _ rows: [WindowRow], _ window: RecountedWindow, _ expected: inout ExpectedRows
  ) throws(AuditError) {
    for row in rows {
      let key = SeriesAndHour(row.key)
      report.rows += 1
      if let new = row.newSeries, window.newSeries[key.series] != new {
        report.add(
          "window \(window.window): series \(key.series) is new in it, as \(Self.text(new)), but "
            + "not in the journal")
      }
      switch expected.see(key, found: row.quantity.attos) {
      case .same: break
      case .incomparable: report.incomparableRows += 1
      case .unexpected:
        report.add(
          try sentence(window, key, "nothing", "\(row.quantity)"))
      case .differs(let wanted):
        report.add(
          try sentence(window, key, Self.text(wanted), "\(row.quantity)"))
      }
    }
  }

  private mutating func compareMissing(
    _ window: RecountedWindow, _ expected: inout ExpectedRows
  ) throws(AuditError) {
    for (key, wanted) in expected.unseen {
      report.add(try sentence(window, key, Self.text(wanted), "nothing"))
    }
  }

  private mutating func compareHash(
    _ stored: ClosedWindow, after hashBefore: [UInt8]?, _ window: RecountedWindow,
    _ expected: ExpectedRows, isRemoved: Bool
  ) {
    guard let rows = expected.rows(withFound: !isRemoved) else { return }
    // An earlier version of the schema did not write down where windows ended.
    let end = stored.endPosition == 0 ? 0 : window.endPosition ?? 0
    var digest = WindowDigest(
      previous: hashBefore, journalID: target.position.journalID, cell: cell,
      window: window.window, endPosition: end)
    var last: Int64?
    var oldest = Int64.max
    for (key, attos) in rows {
      let new = last == key.series ? nil : window.newSeries[key.series]
      digest.add(series: key.series, new: new, hour: key.hour, attos: attos)
      last = key.series
      oldest = min(oldest, key.hour)
    }
    let rowCount = digest.rowCount
    if rowCount > 0, stored.oldestUsage.index != oldest {
      report.add(
        "window \(window.window): the usage database says that its earliest usage is of "
          + "\(stored.oldestUsage), but in the journal it is of \(Hour(index: oldest))")
    }
    report.hashes += 1
    guard digest.finish() != stored.hash || rowCount != stored.rowCount else { return }
    report.add(
      "window \(window.window): the usage database has the hash of \(stored.rowCount) aggregates, "
        + "but the journal's \(rowCount) make another one")
  }

  /// Every series has the number, the first window and the first position that the journal gives it.
  mutating func compareSeries(_ position: PipelinePosition) throws(AuditError) {
    var (problems, count): ([String], UInt64) = ([], 0)
    let recount = recount
    try Verification.forEachSeries(reader) { stored in
      guard stored.firstPosition < position.nextPosition else { return }
      count += 1
      let found = recount.series.find(stored.series)
      guard found?.number != stored.number || found?.firstPosition != stored.firstPosition else {
        return
      }
      let wanted =
        found.map { "number \($0.number) at position \($0.firstPosition)" } ?? "nothing"
      problems.append(
        "series \(Self.text(stored.series)): expected \(wanted), found number \(stored.number) "
          + "at position \(stored.firstPosition)")
    }
    for problem in problems { report.add(problem) }
    report.series = count
    if count < recount.series.count {
      report.add(
        "the usage database has \(count) series, but the journal has \(recount.series.count)")
    }
  }

  private func sentence(
    _ window: RecountedWindow, _ key: SeriesAndHour, _ expected: String, _ found: String
  ) throws(AuditError) -> String {
    var series = window.newSeries[key.series]
    if series == nil {
      let stored = try store { () throws(StoreError) in
        try reader.series(after: key.series - 1, limit: 1)
      }
      series = stored.first { $0.number == key.series }?.series
    }
    let name = series.map { Self.text($0) } ?? "number \(key.series)"
    return "window \(window.window), series \(name), usage hour \(Hour(index: key.hour)): "
      + "expected \(expected), found \(found)"
  }

  private static func text(_ series: Series) -> String {
    "\(series.subscription) \(series.meter) \(series.resource.uri)"
  }

  private static func text(_ attos: Int128) -> String {
    Quantity(attos: attos)?.description ?? "\(attos) attos"
  }
}

/// The rows that one window must have, and what was found of them.
struct ExpectedRows {
  enum Outcome {
    case same
    case incomparable
    case unexpected
    case differs(expected: Int128)
  }

  private let window: RecountedWindow
  private let setAside: SetAside
  private var found: [SeriesAndHour: Int128] = [:]
  private var seen: Set<SeriesAndHour> = []
  /// Rows that the journal cannot say anything of.
  private var extra: [SeriesAndHour: Int128] = [:]

  init(_ window: RecountedWindow, _ setAside: SetAside) {
    self.window = window
    self.setAside = setAside
  }

  mutating func see(_ key: SeriesAndHour, found attos: Int128) -> Outcome {
    guard let wanted = window.rows[key] else {
      guard let unknownBefore = window.restatedUnknownBefore, key.hour < unknownBefore else {
        return .unexpected
      }
      extra[key] = attos
      return .incomparable
    }
    seen.insert(key)
    guard !isIncomparable(key) else {
      found[key] = attos
      return .incomparable
    }
    let aside = setAside.sum(key, in: window.window)
    if aside != 0 { found[key] = attos }
    return attos &+ aside == wanted ? .same : .differs(expected: wanted &- aside)
  }

  /// What must be there and was not found, in order.
  var unseen: [(SeriesAndHour, Int128)] {
    window.rows.filter { !seen.contains($0.key) }.sorted { $0.key < $1.key }.map { ($0, $1) }
  }

  /// The rows as they were hashed; nil where the journal does not suffice for them.
  func rows(withFound: Bool) -> [(SeriesAndHour, Int128)]? {
    guard window.restatedUnknownBefore == nil || withFound else { return nil }
    var rows: [(SeriesAndHour, Int128)] = []
    let all = window.rows.merging(extra) { row, _ in row }
    for (key, attos) in all.sorted(by: { $0.key < $1.key }) {
      guard extra[key] == nil else {
        rows.append((key, attos))
        continue
      }
      if let found = found[key] {
        rows.append((key, found))
      } else {
        guard !isIncomparable(key) || withFound,
          setAside.sum(key, in: window.window) == 0 || withFound
        else { return nil }
        rows.append((key, attos))
      }
    }
    return rows
  }

  private func isIncomparable(_ key: SeriesAndHour) -> Bool {
    window.unknown.contains(key)
      || (window.sampled.contains(key) && setAside.hasSample(key, upTo: window.window))
  }
}
