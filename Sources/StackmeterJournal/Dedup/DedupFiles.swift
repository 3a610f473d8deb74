internal import StackmeterCore
internal import Synchronization

/// The dedup index on the disk: entries files, runs, and the manifest that says which of them count.
///
/// One thread works on them at a time. A file is written under another name, synced and renamed; then the manifest
/// names it; then what it replaces is removed. So a crash leaves an index of before or after. Where manifest
/// and files do not fit each other, the index is made anew from the journal.
final class DedupFiles: Sendable {
  /// The runs of one hour. More are merged into one.
  static let runsPerHourMax = 4

  fileprivate struct State {
    var manifest: DedupManifest
    /// From `manifest.entriesFrom` on, without a gap.
    var entries: [DedupEntriesFile] = []
    var runs: [Hour: [DedupRun]] = [:]
  }

  private let disk: any Disk
  private let directory: String
  private let state: Mutex<State>
  let id: LogID

  /// Opens what is there; begins an empty index with `newKey` where there is none that is whole.
  init(
    disk: any Disk, directory: String, id: LogID, newKey: (UInt64, UInt64)
  ) throws(DiskError) {
    self.disk = disk
    self.directory = directory
    self.id = id
    try disk.makeDirectory(directory)
    if let found = try DedupFiles.load(disk, directory, id) {
      state = Mutex(found)
    } else {
      let empty = State(
        manifest: DedupManifest(key: newKey, entriesFrom: 0, firstHour: Hour(index: .min)))
      try empty.manifest.write(disk, directory, id)
      state = Mutex(empty)
    }
    try removeOthers()
  }

  var key: (UInt64, UInt64) { state.withLock { $0.manifest.key } }
  var runs: [Hour: [DedupRun]] { state.withLock { $0.runs } }
  /// Of hours before this some events may be missing.
  var firstHour: Hour { state.withLock { $0.manifest.firstHour } }
  var entries: [DedupEntriesFile] { state.withLock { $0.entries } }

  /// Begins anew: nothing before `position` or of hours before `firstHour` is needed, and nothing is known after it.
  func clear(from position: UInt64, firstHour: Hour) throws(DiskError) {
    let manifest = state.withLock { state in
      let manifest = DedupManifest(
        key: state.manifest.key, entriesFrom: position, firstHour: firstHour)
      state = State(manifest: manifest)
      return manifest
    }
    try manifest.write(disk, directory, id)
    try removeOthers()
  }

  /// Every event below this position is known, or past the lateness limit; 0 for an index that has just begun.
  var nextPosition: UInt64 {
    state.withLock { $0.entries.last?.positions.upperBound ?? $0.manifest.entriesFrom }
  }

  /// The context of the newest entries file.
  var context: [UInt8] { state.withLock { $0.entries.last?.context ?? [] } }

  /// Above this position nothing is known.
  var highestPosition: UInt64 {
    state.withLock { state in
      max(
        state.entries.last?.positions.upperBound ?? 0,
        state.manifest.runs.map(\.coveredPosition).max() ?? 0)
    }
  }

  /// Says that all sections of hours from `firstHour` on are read soon, as far as no runs have them.
  func expectReading(from firstHour: Hour) {
    for file in entries
    where file.sections.contains(where: { $0.hour >= firstHour && !isCovered($0, of: file) }) {
      disk.expectReading(path(DedupEntriesFile.name(firstPosition: file.positions.lowerBound)))
    }
  }

  /// Whether the hour's runs have all of a section.
  private func isCovered(_ section: DedupEntriesFile.Section, of file: DedupEntriesFile) -> Bool {
    coveredPosition(of: section.hour) >= file.positions.upperBound
  }

  /// The entries of one section that the hour's runs do not have.
  func read(
    _ section: DedupEntriesFile.Section, of file: DedupEntriesFile
  ) throws(DedupError) -> [DedupEntry] {
    guard !isCovered(section, of: file) else { return [] }
    let path = path(DedupEntriesFile.name(firstPosition: file.positions.lowerBound))
    let entries: [DedupEntry]?
    do throws(DiskError) {
      entries = try DedupEntriesFile.read(section, disk, path, of: id)
    } catch {
      throw .disk(error)
    }
    guard let entries else { throw .damaged(path: path) }
    let covered = coveredPosition(of: section.hour)
    return covered <= file.positions.lowerBound
      ? entries : entries.filter { $0.position >= covered }
  }

  /// Events of the hour below this position are in its runs.
  func coveredPosition(of hour: Hour) -> UInt64 {
    state.withLock { state in
      state.manifest.runs.last { $0.hour == hour }?.coveredPosition ?? 0
    }
  }

  /// Keeps the events at `positions`, which follow those that are kept already.
  func write(
    _ entries: [(hour: Hour, entries: [DedupEntry])], positions: Range<UInt64>, lastTime: Instant,
    context: [UInt8]
  ) throws(DiskError) {
    let name = DedupEntriesFile.name(firstPosition: positions.lowerBound)
    let file = try disk.replace(path(name)) { (file: inout SequentialFile) throws(DiskError) in
      try DedupEntriesFile(
        writing: entries, positions: positions, lastTime: lastTime, context: context, of: id,
        to: &file)
    }
    try disk.syncDirectory(directory)
    state.withLock { $0.entries.append(file) }
  }

  /// Makes a run of a table that holds what the runs of its hour do not, up to `coveredPosition`. The hour has the
  /// runs that are returned from then on.
  func write(
    _ table: DedupTable, hour: Hour, coveredPosition: UInt64
  ) throws(DedupError) -> [DedupRun] {
    let (known, number) = state.withLock { ($0.runs[hour] ?? [], $0.manifest.nextRunNumber) }
    let merged = known.count + 1 > DedupFiles.runsPerHourMax ? known : []
    let run = DedupManifest.Run(
      hour: hour, number: number, count: table.count + merged.reduce(0) { $0 + $1.count },
      coveredPosition: coveredPosition)
    try write(run, table, merged)
    let opened: DedupRun?
    do throws(DiskError) {
      opened = try DedupRun(disk, path(run.name), hour: hour, count: run.count, of: id)
    } catch {
      throw .disk(error)
    }
    guard let opened else { throw .damaged(path: path(run.name)) }
    let manifest = state.withLock { state in
      if !merged.isEmpty { state.manifest.runs.removeAll { $0.hour == hour } }
      state.manifest.runs.append(run)
      state.manifest.nextRunNumber += 1
      state.runs[hour] = (merged.isEmpty ? known : []) + [opened]
      state.dropCoveredEntries()
      return state.manifest
    }
    do throws(DiskError) {
      try manifest.write(disk, directory, id)
      try removeOthers()
    } catch {
      throw .disk(error)
    }
    return (merged.isEmpty ? known : []) + [opened]
  }

  private func write(
    _ run: DedupManifest.Run, _ table: DedupTable, _ merged: [DedupRun]
  ) throws(DedupError) {
    let file: any DiskFile
    do throws(DiskError) { file = try disk.createFresh(path(run.name)) } catch {
      throw .disk(error)
    }
    defer { file.close() }
    var writer = DedupRun.Writer(file, hour: run.hour, expectedCount: run.count, of: id)
    var cursors = merged.map { DedupRun.Cursor($0) }
    var heads: [DedupEntry?] = []
    for index in cursors.indices { heads.append(try cursors[index].next()) }
    var entries = table.makeIterator()
    var head = entries.next()
    while true {
      var least = head
      var source: Int?
      for (index, candidate) in heads.enumerated() {
        guard let candidate, least.map({ candidate.identity < $0.identity }) ?? true else {
          continue
        }
        least = candidate
        source = index
      }
      guard let entry = least else { break }
      do throws(DiskError) { try writer.append(entry) } catch { throw .disk(error) }
      if let source { heads[source] = try cursors[source].next() } else { head = entries.next() }
    }
    do throws(DiskError) {
      _ = try writer.finish()
      try disk.syncDirectory(directory)
    } catch {
      throw .disk(error)
    }
  }

  /// Removes the hours before `hour`, which nobody asks for any more.
  func forget(before hour: Hour) throws(DiskError) {
    let manifest = state.withLock { state in
      state.manifest.firstHour = max(state.manifest.firstHour, hour)
      state.manifest.runs.removeAll { $0.hour < hour }
      state.runs = state.runs.filter { $0.key >= hour }
      state.dropCoveredEntries()
      return state.manifest
    }
    try manifest.write(disk, directory, id)
    try removeOthers()
  }

  /// Takes away the manifest, so that the next start makes the index anew.
  func discard() {
    try? disk.remove(path(DedupManifest.name))
    try? disk.syncDirectory(directory)
  }

  private func path(_ name: String) -> String { "\(directory)/\(name)" }

  /// Removes every file that neither the manifest nor the entries name.
  private func removeOthers() throws(DiskError) {
    let needed = state.withLock { state in
      Set(
        [DedupManifest.name] + state.manifest.runs.map(\.name)
          + state.entries.map { DedupEntriesFile.name(firstPosition: $0.positions.lowerBound) })
    }
    for name in try disk.list(directory) where !needed.contains(name) {
      try disk.remove(path(name))
    }
  }

  /// Nil where there is no index of this log, or a part of it is missing.
  private static func load(
    _ disk: any Disk, _ directory: String, _ id: LogID
  ) throws(DiskError) -> State? {
    let names = Set(try disk.list(directory))
    guard names.contains(DedupManifest.name) else { return nil }
    let path = "\(directory)/\(DedupManifest.name)"
    guard
      let manifest = DedupManifest(
        try disk.read(path, from: 0, count: try disk.size(path)), of: id)
    else { return nil }
    var state = State(manifest: manifest)
    for run in manifest.runs {
      guard names.contains(run.name),
        let opened = try DedupRun(
          disk, "\(directory)/\(run.name)", hour: run.hour, count: run.count, of: id)
      else { return nil }
      state.runs[run.hour, default: []].append(opened)
    }
    var next = manifest.entriesFrom
    while names.contains(DedupEntriesFile.name(firstPosition: next)) {
      let path = "\(directory)/\(DedupEntriesFile.name(firstPosition: next))"
      // Whatever follows a file that is no longer whole is read from the journal again.
      guard let file = try DedupEntriesFile(disk, path, firstPosition: next, of: id) else { break }
      state.entries.append(file)
      next = file.positions.upperBound
    }
    return state
  }
}

extension DedupFiles.State {
  /// Leaves out the oldest entries files as far as runs have all of them. The newest stays: it tells which
  /// history of the journal this is an index of.
  fileprivate mutating func dropCoveredEntries() {
    while entries.count > 1, let file = entries.first,
      file.sections.allSatisfy({ section in
        section.hour < manifest.firstHour
          || (manifest.runs.last { $0.hour == section.hour }?.coveredPosition ?? 0)
            >= file.positions.upperBound
      })
    {
      entries.removeFirst()
      manifest.entriesFrom = file.positions.upperBound
    }
  }
}
