internal import Glibc
package import StackmeterCore
package import StackmeterJournal
internal import StackmeterRuntime
package import StackmeterStore
internal import StackmeterWire

/// Why a usage database cannot be made anew.
package enum RebuildError: Error, Equatable, CustomStringConvertible {
  case exists(String)
  /// The schema to make is that of the old database.
  case isOld(schema: String)
  case noJournal(String)
  /// The journal does not begin at its first position.
  case beginningRemoved(first: UInt64)
  /// What was begun counts a meter in another way.
  case otherRules(meter: String, part: String)
  /// Meters were restated behind the journal's end.
  case restatedBeyond(position: UInt64, end: UInt64)
  /// The new database is complete, but not what the old one was.
  case differs(windows: [Hour], part: String)
  case system(String)

  package var description: String {
    switch self {
    case .exists(let path):
      "\(path) is there already, and nothing is overwritten: move it away (a usage database moves "
        + "with the files -wal and -shm beside it), or choose another --output"
    case .isOld(let schema):
      "schema \(schema) has the usage database that is to be made anew: choose another --schema"
    case .noJournal(let directory): "there is no journal in \(directory)"
    case .beginningRemoved(let first):
      "the journal begins at position \(first): what stood before was removed by "
        + "collector.journalRetentionDays, so that a usage database cannot be made from it alone; "
        + "restore a backup of the usage database and start the aggregator, which counts what is "
        + "missing in it"
    case .otherRules(let meter, let part):
      "\(part) was begun with another aggregation of meter \(meter): remove it and begin again"
    case .restatedBeyond(let position, let end):
      "the old database has restated meters at position \(position), but the journal ends at "
        + "\(end), or in an earlier window: a part of the journal is missing; restore it from a backup"
    case .differs(let windows, let part):
      "\(windows.count) closed windows have another hash than in the old database, the first is "
        + "\(windows[0]); the new database is complete, but stays at \(part): compare the two with "
        + "stackmeter verify, and move the right one into its place"
    case .system(let problem): problem
    }
  }
}

/// Makes a usage database from the journal's files alone, by what the aggregator does: the same rows, numbers and
/// hashes.
///
/// It grows in a file beside its place, which is a usage database of its own at every moment: whatever interrupts it,
/// the next run goes on. It takes its place once it is complete, and never that of another file. In PostgreSQL it grows
/// in a schema of its own, and a person puts that in the place of the old one. Runs while the collector writes; what
/// comes meanwhile is left to the aggregator.
package struct Rebuild {
  /// What one transaction counts at most.
  private static let chunksBytesMax = 8 << 20
  private static let removedAtOnce = 50_000
  private static let windowsPerRead = 1000

  package struct Report: Hashable, Sendable {
    package var position: UInt64 = 0
    /// Closed windows that the new and the old database have, with the same hashes.
    package var sameWindows = 0
    /// Where the old database was further.
    package var oldPosition: UInt64?
  }

  /// Where it grows, for people.
  private let part: String
  private let place: Place
  private let cell: String
  private let catalog: MeterCatalog
  private let rules: [MeterRule]
  private let old: (any UsageReader)?
  private let latenessLimitDays: Int

  /// Where the new database is made.
  package enum Place: Hashable, Sendable {
    /// A file of SQLite.
    case file(String)
    /// A schema of a database of PostgreSQL, which is made where it is not there: the connection and its name.
    case schema(String, String)
  }

  /// A database at `place`. `old` is the one whose rules and meters are taken over, and whose closed windows are
  /// compared; without it the catalog says how meters are counted.
  package init(
    place: Place, cell: String, catalog: MeterCatalog, old: (any UsageReader)?,
    latenessLimitDays: Int
  ) throws {
    self.place = place
    switch place {
    case .file(let path): part = "\(path).part"
    case .schema(_, let schema): part = "schema \(schema)"
    }
    self.latenessLimitDays = latenessLimitDays
    self.old = old
    guard let old else {
      (self.cell, self.catalog, rules) = (cell, catalog, [])
      return
    }
    self.cell = try old.cell()
    rules = try old.rules()
    self.catalog = try Rebuild.catalog(try old.meters(), rules)
  }

  /// The meters of a database, those with rules first: it may have one under several spellings.
  private static func catalog(_ meters: [Meter], _ rules: [MeterRule]) throws -> MeterCatalog {
    let ruled = Set(rules.map { ExactText($0.meter) })
    var known: Set<ExactText> = []
    let sorted =
      meters.filter { ruled.contains(ExactText($0.id)) }
      + meters.filter { !ruled.contains(ExactText($0.id)) }
    return try MeterCatalog(
      sorted.filter { known.insert(ExactText($0.id.asciiLowercased)).inserted })
  }

  /// Counts the journal and puts the database into its place. `progress` is told the position that was reached and the
  /// one to reach. A schema stays as it is when something fails.
  package func run(
    disk: any Disk, journalDirectory: String,
    progress: (_ position: UInt64, _ end: UInt64) -> Void = { _, _ in }
  ) throws -> Report {
    switch place {
    case .schema(let text, let schema):
      try requireOther(text, schema)
      let store = try PostgreSQLUsageStore(text, schema: schema, cell: cell)
      var report = try count(disk, journalDirectory, store, progress)
      let new = try PostgreSQLUsageReader(text, schema: schema, cell: cell)
      try compare(&report, with: new)
      try copyBilling(to: store, new)
      return withExtendedLifetime(store) { report }
    case .file(let path):
      try Rebuild.requireFree(path)
      let lock = "\(part).lock"
      try StateLock.take(lock)
      defer { unlink(lock) }
      let report = try make(disk, journalDirectory, progress)
      try putInPlace(path)
      return report
    }
  }

  /// Nothing is there, and nothing beside it: SQLite would take what an older file has left there for the new one's.
  package static func requireFree(_ path: String) throws(RebuildError) {
    for path in [path, "\(path)-wal", "\(path)-shm"] where access(path, F_OK) == 0 {
      throw .exists(path)
    }
  }

  /// Throws where the old database is in the schema.
  private func requireOther(_ text: String, _ schema: String) throws {
    guard let old = old as? PostgreSQLUsageReader else { return }
    do throws(StoreError) {
      let there = try PostgreSQLUsageReader(text, schema: schema, cell: cell)
      guard try there.tables() == old.tables() else { return }
    } catch {
      // Nothing is there yet.
      guard error.kind == .missing else { throw error }
      return
    }
    throw RebuildError.isOld(schema: schema)
  }

  /// Makes the whole database. Its writer is the last to leave: it moves everything from the files beside it into it.
  private func make(
    _ disk: any Disk, _ journalDirectory: String, _ progress: (UInt64, UInt64) -> Void
  ) throws -> Report {
    let store = try SQLiteUsageStore(path: part, cell: cell)
    var report = try count(disk, journalDirectory, store, progress)
    let new = try SQLiteUsageReader(path: part)
    try compare(&report, with: new)
    try copyBilling(to: store, new)
    return withExtendedLifetime(store) { report }
  }

  private func count(
    _ disk: any Disk, _ journalDirectory: String, _ store: any UsageStore,
    _ progress: (UInt64, UInt64) -> Void
  ) throws -> Report {
    let found = try LogTail.found(disk, journalDirectory, withLastCommit: false)
    guard let tail = found else { throw RebuildError.noJournal(journalDirectory) }
    try requireSameRules(store)
    let counter = try JournalCounter(
      store: store, catalog: catalog, earlierRules: rules,
      restateSource: restateSource(disk, journalDirectory), latenessLimitDays: latenessLimitDays)
    try count(disk, journalDirectory, counter, tail, progress)
    try counter.restateAtEnd()
    // What the old database has counted is durable, so the last commit may be taken where it has a restatement.
    if !counter.due.isEmpty,
      let whole = try LogTail.found(disk, journalDirectory, withLastCommit: true)
    {
      try count(disk, journalDirectory, counter, whole, progress)
      try counter.restateAtEnd()
    }
    if let due = counter.due.first {
      throw RebuildError.restatedBeyond(
        position: due.position, end: counter.position.nextPosition)
    }
    try RestateStage.remove(restatePath)
    try removeWhatIsGone(store)
    var report = Report()
    report.position = counter.position.nextPosition
    return report
  }

  private var restatePath: String { "\(part).restate" }

  /// Reads the journal from its beginning for a restatement.
  private func restateSource(_ disk: any Disk, _ directory: String) -> RestateSource {
    RestateSource(path: restatePath) { counter, end in
      guard let tail = try LogTail.found(disk, directory, withLastCommit: true) else {
        throw RebuildError.noJournal(directory)
      }
      var reader = LogReader(disk: disk, directory: directory, fromPosition: 1)
      while let chunk = try next(&reader, tail) {
        if try counter.apply(chunk.bytes, of: chunk.id.rawValue, upTo: end) { return }
      }
    }
  }

  private func count(
    _ disk: any Disk, _ journalDirectory: String, _ counter: JournalCounter, _ tail: LogTail,
    _ progress: (_ position: UInt64, _ end: UInt64) -> Void
  ) throws {
    var reader = LogReader(
      disk: disk, directory: journalDirectory, fromPosition: counter.position.nextPosition)
    var chunks: [JournalChunk] = []
    var bytes = 0
    progress(counter.position.nextPosition, tail.nextPosition)
    while let chunk = try next(&reader, tail) {
      chunks.append(
        JournalChunk(
          records: chunk.bytes, nextPosition: chunk.nextPosition,
          durablePosition: tail.nextPosition, journalID: chunk.id.rawValue))
      bytes += chunk.bytes.count
      guard bytes >= Rebuild.chunksBytesMax else { continue }
      try counter.apply(chunks)
      (chunks, bytes) = ([], 0)
      progress(counter.position.nextPosition, tail.nextPosition)
    }
    if !chunks.isEmpty { try counter.apply(chunks) }
    progress(counter.position.nextPosition, tail.nextPosition)
  }

  private func next(_ reader: inout LogReader, _ tail: LogTail) throws -> LogReader.Chunk? {
    do throws(RecordLogError) {
      return try reader.next(upTo: tail)
    } catch .removed(_, let first) {
      throw RebuildError.beginningRemoved(first: first)
    }
  }

  /// What was begun goes on only by the same rules.
  private func requireSameRules(_ store: any UsageStore) throws {
    var firstKinds: [ExactText: Aggregation] = [:]
    for meter in catalog.meters { firstKinds[ExactText(meter.id)] = meter.aggregation }
    for rule in rules where rule.restatement == nil {
      firstKinds[ExactText(rule.meter)] = rule.aggregation
    }
    for rule in try store.rules() {
      let isSame =
        rule.restatement == nil
        ? firstKinds[ExactText(rule.meter)] == rule.aggregation : rules.contains(rule)
      guard isSame else { throw RebuildError.otherRules(meter: rule.meter, part: part) }
    }
  }

  /// What the old database no longer keeps, the new one need not keep either.
  private func removeWhatIsGone(_ store: any UsageStore) throws {
    if let retainedFrom = try old?.position().retainedFrom, retainedFrom.index > 0 {
      try store.retain(from: retainedFrom)
      while try store.removeAggregates(limit: Rebuild.removedAtOnce) > 0 {}
    }
    while try store.removeSamples(limit: Rebuild.removedAtOnce) > 0 {}
  }

  /// Compares the hashes of the closed windows that both databases have.
  private func compare(_ report: inout Report, with new: any UsageReader) throws {
    guard let old else { return }
    report.oldPosition = try old.position().nextPosition
    var different: [Hour] = []
    var before: Hour? = min(try old.position().openWindow, try new.position().openWindow)
    while true {
      let page = try old.closedWindows(before: before, limit: Rebuild.windowsPerRead)
      let mine = try new.closedWindows(before: before, limit: Rebuild.windowsPerRead)
      guard let last = page.last?.window, let lastOfMine = mine.last?.window else {
        different += page.map(\.window) + mine.map(\.window)
        break
      }
      let end = max(last, lastOfMine)
      let pageHashes = Dictionary(uniqueKeysWithValues: page.map { ($0.window, $0.hash) })
      let mineHashes = Dictionary(uniqueKeysWithValues: mine.map { ($0.window, $0.hash) })
      for window in Set(pageHashes.keys).union(mineHashes.keys) where window >= end {
        if pageHashes[window] == mineHashes[window] {
          report.sameWindows += 1
        } else {
          different.append(window)
        }
      }
      before = end
    }
    guard different.isEmpty else {
      throw RebuildError.differs(windows: different.sorted(), part: part)
    }
  }

  /// Rate cards and statements are in no journal: they are the old database's.
  private func copyBilling(to store: any UsageStore, _ new: any UsageReader) throws {
    guard let old else { return }
    _ = try BillingCopy(from: old, to: store, new)
  }

  private func putInPlace(_ path: String) throws {
    func failure(_ operation: String) -> RebuildError {
      .system("cannot \(operation): \(String(cString: strerror(errno)))")
    }
    guard access("\(part)-wal", F_OK) != 0 else {
      throw RebuildError.system("\(part) is in use by another process; try again")
    }
    let file = open(part, O_RDONLY | O_CLOEXEC)
    guard file >= 0, fsync(file) == 0 else { throw failure("sync \(part)") }
    close(file)
    try Rebuild.requireFree(path)
    // Unlike a rename, a link never replaces anything.
    guard link(part, path) == 0 else {
      throw errno == EEXIST ? RebuildError.exists(path) : failure("put \(part) into its place")
    }
    guard unlink(part) == 0 else { throw failure("remove the name \(part)") }
    let slash = path.lastIndex(of: "/").map { path[..<$0] } ?? "."
    try FileDisk().syncDirectory(slash.isEmpty ? "/" : String(slash))
  }
}
