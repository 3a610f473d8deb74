package import StackmeterCore

/// Knows every accepted event whose usage hour is within the lateness limit, by its identity.
///
/// A pure function of the journal and a key: its files make starting fast, and are made anew where they are gone.
/// Hours with much use are in memory, at 16 bytes an event and some empty slots; past a limit the hours that have
/// rested longest go to runs on the disk behind filters. One thread owns it. What takes long is a `DedupJob` that
/// another thread may run meanwhile, one at a time.
package struct DedupIndex: ~Copyable {
  package struct Limits: Sendable {
    /// Events in memory. Past it an hour is written to a run.
    package var residentCountMax: Int
    /// Events that no file has yet. Past it they are written to one.
    package var recentCountMax: Int

    /// 24 bytes for each event in memory. By default a fortieth of them is in no file, and at most a million.
    package init(memoryBytes: Int, recentCountMax: Int? = nil) {
      residentCountMax = max(1, memoryBytes / 24)
      self.recentCountMax = recentCountMax ?? min(max(1, residentCountMax / 40), 1 << 20)
    }
  }

  private let files: DedupFiles
  private let limits: Limits
  package let hasher: EventHasher
  /// From `baseHour` on, one hour after the other.
  private var buckets: [DedupBucket?] = []
  private var baseHour = Hour(index: 0)
  /// Hours before this are past the lateness limit.
  private var firstHour: Hour
  private var residentCount = 0
  private var recentCount = 0
  /// Events below this position are in files.
  private var filedPosition: UInt64
  private var durablePosition: UInt64
  private var lastTime = Instant(nanoseconds: 0)
  private var turn: UInt64 = 1
  /// Given out and not finished.
  private var job: DedupJob?
  /// The files do not say yet that hours before `firstHour` are incomplete.
  private var hasForgotten: Bool

  /// Opens the index of the log `id` in `directory`, and loads what its files know of the hours from `firstHour`
  /// on. `isKnown` says whether the log has an event in front of a position that was reported at a time.
  ///
  /// The owner then inserts what the journal has from `nextPosition` on, or from `firstNeeded` where that is later.
  package init(
    disk: any Disk, directory: String, id: LogID, newKey: (UInt64, UInt64), limits: Limits,
    firstHour: Hour, firstNeeded: UInt64, logEnd: UInt64,
    isKnown: (_ position: UInt64, _ time: Instant) throws(RecordLogError) -> Bool
  ) throws(RecordLogError) {
    let files = try system { () throws(DiskError) in
      try DedupFiles(disk: disk, directory: directory, id: id, newKey: newKey)
    }
    // Hours that were past the limit are needed again where it was raised.
    var isFitting =
      files.nextPosition > 0 && files.highestPosition <= logEnd && files.firstHour <= firstHour
    if isFitting, let last = files.entries.last {
      isFitting = try isKnown(last.positions.upperBound - 1, last.lastTime)
    }
    if !isFitting {
      try system { () throws(DiskError) in
        try files.clear(from: max(1, firstNeeded), firstHour: firstHour)
      }
    }
    var loaded: [DedupBucket] = []
    do throws(DedupError) {
      loaded = try DedupIndex.load(files, from: firstHour)
    } catch {
      // What cannot be read is made anew.
      try system { () throws(DiskError) in
        try files.clear(from: max(1, firstNeeded), firstHour: firstHour)
      }
    }
    self.init(files, limits, firstHour: firstHour, firstNeeded: firstNeeded, loaded)
  }

  private init(
    _ files: DedupFiles, _ limits: Limits, firstHour: Hour, firstNeeded: UInt64,
    _ loaded: [DedupBucket]
  ) {
    self.files = files
    self.limits = limits
    self.firstHour = firstHour
    hasForgotten = files.firstHour < firstHour
    hasher = EventHasher(key: files.key)
    filedPosition = files.nextPosition
    // What lies between the files and that is past the lateness limit.
    durablePosition = max(filedPosition, firstNeeded)
    for bucket in loaded {
      reach(bucket.hour)
      buckets[Int(bucket.hour.index - baseHour.index)] = bucket
      residentCount += bucket.residentCount
    }
  }

  /// Every event that the journal has below this position is known, or past the lateness limit.
  package var nextPosition: UInt64 { durablePosition }
  /// Every event below this position is in files, or past the lateness limit. What follows is in none, also where
  /// nothing of it is needed and `nextPosition` lies behind it.
  package var filesEnd: UInt64 { filedPosition }
  /// What the owner gave when the events below `filesEnd` were written to files; empty where none were.
  package var context: [UInt8] { files.context }
  /// All known events, on the disk too.
  package var count: Int { buckets.reduce(0) { $0 + ($1?.count ?? 0) } }
  /// The bytes that the index holds in memory.
  package var memoryBytes: Int {
    buckets.reduce(0) { sum, bucket in
      guard let bucket else { return sum }
      return bucket.runs.reduce(
        sum + bucket.table.byteCount + (bucket.frozen?.byteCount ?? 0)
          + bucket.recent.count * DedupEntry.byteCount
      ) { $0 + $1.memoryBytes }
    }
  }

  /// Whether so much waits for the jobs that nothing more should be inserted before they are done.
  package var isBehind: Bool {
    recentCount > 8 * limits.recentCountMax
      || residentCount > 2 * limits.residentCountMax + limits.recentCountMax
  }

  /// What the files know of the hours from `firstHour` on.
  private static func load(
    _ files: DedupFiles, from firstHour: Hour
  ) throws(DedupError) -> [DedupBucket] {
    files.expectReading(from: firstHour)
    var expected: [Hour: Int] = [:]
    for file in files.entries {
      for section in file.sections where section.hour >= firstHour {
        expected[section.hour, default: 0] += section.count
      }
    }
    // Most of what the entries files have of an hour with runs is in these.
    for (hour, _) in files.runs { expected[hour] = hour < firstHour ? nil : 0 }
    var buckets: [Hour: DedupBucket] = [:]
    for (hour, count) in expected {
      let bucket = DedupBucket(hour, runs: files.runs[hour] ?? [], expectedCount: count)
      bucket.coveredPosition = files.coveredPosition(of: hour)
      buckets[hour] = bucket
    }
    for file in files.entries {
      for section in file.sections {
        guard let bucket = buckets[section.hour] else { continue }
        bucket.table.insert(try files.read(section, of: file))
      }
    }
    return Array(buckets.values)
  }

  /// Makes `buckets` long enough for an hour.
  private mutating func reach(_ hour: Hour) {
    if buckets.isEmpty { baseHour = hour }
    if hour < baseHour {
      let missing = Int(baseHour.index - hour.index)
      buckets.insert(contentsOf: repeatElement(nil, count: missing), at: 0)
      baseHour = hour
    }
    let index = Int(hour.index - baseHour.index)
    if index >= buckets.count {
      buckets.append(contentsOf: repeatElement(nil, count: index + 1 - buckets.count))
    }
  }

  private mutating func bucket(_ hour: Hour) -> DedupBucket {
    reach(hour)
    let index = Int(hour.index - baseHour.index)
    if let bucket = buckets[index] { return bucket }
    let bucket = DedupBucket(hour)
    buckets[index] = bucket
    return bucket
  }

  private func known(_ hour: Hour) -> DedupBucket? {
    let index = hour.index - baseHour.index
    return index >= 0 && index < Int64(buckets.count) ? buckets[Int(index)] : nil
  }

  /// Begins to load what the search for this event will need.
  package func prefetch(_ hour: Hour, _ digest: EventDigest) {
    let index = Int(truncatingIfNeeded: hour.index &- baseHour.index)
    guard buckets.indices.contains(index), let bucket = buckets[index] else { return }
    bucket.table.prefetch(digest.identity)
  }

  /// What is known of an event's identity.
  package func find(_ hour: Hour, _ digest: EventDigest) throws(DedupError) -> DedupMatches {
    guard let bucket = known(hour) else { return DedupMatches() }
    return try bucket.find(digest)
  }

  /// Remembers an event at `position` and returns nil, unless its identity may be known.
  package mutating func remember(
    _ hour: Hour, _ digest: EventDigest, position: UInt64
  ) throws(DedupError) -> DedupMatches? {
    let bucket = known(hour) ?? bucket(hour)
    if let matches = try bucket.remember(digest, position: position) { return matches }
    bucket.lastTurn = turn
    residentCount += 1
    recentCount += 1
    return nil
  }

  /// Remembers an event although others have its identity's 40 bits: the journal has shown that they are not it.
  package mutating func insert(_ hour: Hour, _ digest: EventDigest, position: UInt64) {
    let bucket = known(hour) ?? bucket(hour)
    let entry = DedupEntry(digest, position: position)
    bucket.table.insert(entry)
    bucket.recent.append(entry)
    bucket.lastTurn = turn
    residentCount += 1
    recentCount += 1
  }

  /// Inserts the events of a batch that the journal has at `firstPosition`, but for those that are past the lateness
  /// limit or that a file knows.
  package mutating func replay(_ batch: EventBatch, firstPosition: UInt64) {
    let digests = hasher.digests(of: batch, series: batch.series.map { hasher.digest($0) })
    for (event, digest) in digests.enumerated() {
      let position = firstPosition + UInt64(event)
      let hour = Instant(nanoseconds: batch.usageStart[event]).hour
      guard isNews(hour, position) else { continue }
      insert(hour, digest, position: position)
    }
  }

  /// Inserts a correction that the journal has as declared at `position`, as `replay` does the events of a batch; one
  /// that was parked before is known.
  package mutating func replay(declared event: UsageEvent, at position: UInt64) throws(DedupError) {
    let digest = hasher.digest(of: event)
    guard isNews(event.usageStart.hour, position),
      try find(event.usageStart.hour, digest).duplicate == nil
    else { return }
    insert(event.usageStart.hour, digest, position: position)
  }

  /// Remembers, while the journal is replayed, that the correction at `position` is in effect on an event.
  package mutating func replay(correctionOf identity: EventIdentity, at position: UInt64) {
    guard isNews(identity.hour, position) else { return }
    setCorrection(of: identity, at: position)
  }

  private func isNews(_ hour: Hour, _ position: UInt64) -> Bool {
    hour >= firstHour && position >= durablePosition
      && position >= known(hour)?.coveredPosition ?? 0
  }

  /// Where events stand that may have this identity: the journal tells which do.
  package func positions(of identity: EventIdentity) throws(DedupError) -> [UInt64] {
    try find(identity.hour, hasher.digest(of: identity)).all
  }

  /// Where corrections stand that may be in effect on the event of this identity.
  package func corrections(of identity: EventIdentity) throws(DedupError) -> [UInt64] {
    try find(identity.hour, hasher.correctionDigest(of: identity)).all
  }

  package mutating func setCorrection(of identity: EventIdentity, at position: UInt64) {
    insert(identity.hour, hasher.correctionDigest(of: identity), position: position)
  }

  /// All that was inserted is durable in the journal, whose next event will have `nextPosition`.
  package mutating func committed(nextPosition: UInt64, lastTime: Instant) {
    durablePosition = nextPosition
    self.lastTime = lastTime
    turn += 1
  }

  /// Forgets the hours that start before `limit`, whose events are no longer accepted.
  package mutating func forget(before limit: Instant) {
    while baseHour.start < limit, let first = buckets.first {
      if let bucket = first {
        residentCount -= bucket.residentCount
        recentCount -= bucket.recent.count
        hasForgotten = true
      }
      buckets.removeFirst()
      baseHour = baseHour.next
    }
    let limitHour = limit.hour.start < limit ? limit.hour.next : limit.hour
    firstHour = max(firstHour, limitHour)
  }

  /// What should be done beside the owner's thread, if anything: asked for only after `committed`. One that was not
  /// finished is given again. `context` is what the owner needs beside the events that files have then.
  package mutating func nextJob(context: () -> [UInt8] = { [] }) -> DedupJob? {
    if let job { return job }
    let work: DedupJob.Work
    if hasForgotten {
      // Before any file lacks these hours.
      hasForgotten = false
      work = .forget(before: firstHour)
    } else if recentCount >= limits.recentCountMax {
      work = entriesWork(context())
    } else if residentCount > limits.residentCountMax, let bucket = coldest() {
      bucket.frozen = bucket.table
      bucket.table = DedupTable()
      work = .run(bucket.frozen!, bucket.hour, coveredPosition: durablePosition)
    } else {
      return nil
    }
    job = DedupJob(files: files, work: work)
    return job
  }

  private mutating func entriesWork(_ context: [UInt8]) -> DedupJob.Work {
    var entries: [DedupJob.Part] = []
    for case let bucket? in buckets where !bucket.recent.isEmpty {
      entries.append(DedupJob.Part(hour: bucket.hour, entries: bucket.recent))
      bucket.recent = []
    }
    recentCount = 0
    defer { filedPosition = durablePosition }
    return .entries(
      entries, positions: filedPosition..<durablePosition, lastTime: lastTime, context: context)
  }

  /// The hour that has rested longest of those whose table is worth a run.
  private func coldest() -> DedupBucket? {
    let worth = max(1, residentCount / 64)
    return buckets.lazy.compactMap { $0 }
      .filter { $0.table.count >= worth }
      .min { ($0.lastTurn, -$0.table.count) < ($1.lastTurn, -$1.table.count) }
  }

  /// Takes over what a job has done.
  package mutating func finish(_ done: DedupJob.Done) {
    job = nil
    // An hour that was forgotten meanwhile has no bucket.
    guard case .runs(let runs, let hour) = done.result, let bucket = known(hour) else { return }
    residentCount -= bucket.frozen?.count ?? 0
    bucket.frozen = nil
    bucket.runs = runs
    bucket.coveredPosition = files.coveredPosition(of: hour)
  }

  /// Makes the next start build the index anew, because a file of it is damaged.
  package func discard() { files.discard() }
}

/// Work of the dedup index that may run beside the thread that owns it.
package struct DedupJob: Sendable {
  struct Part: Sendable {
    let hour: Hour
    let entries: [DedupEntry]
  }

  enum Work: Sendable {
    /// Keep the events of these positions in a file.
    case entries([Part], positions: Range<UInt64>, lastTime: Instant, context: [UInt8])
    /// Make a run of a table.
    case run(DedupTable, Hour, coveredPosition: UInt64)
    /// Remove files that only have hours before this.
    case forget(before: Hour)
  }

  /// What the index has to know of a job that is done.
  package struct Done: Sendable {
    enum Result {
      case nothing
      case runs([DedupRun], Hour)
    }

    let result: Result
  }

  fileprivate let files: DedupFiles
  fileprivate let work: Work

  /// Does it. After an error it may be tried again.
  package func run() throws(DedupError) -> Done {
    do throws(DiskError) {
      switch work {
      case .entries(let parts, let positions, let lastTime, let context):
        try files.write(
          parts.map { ($0.hour, $0.entries) }, positions: positions, lastTime: lastTime,
          context: context)
        return Done(result: .nothing)
      case .forget(let hour):
        try files.forget(before: hour)
        return Done(result: .nothing)
      case .run:
        break
      }
    } catch {
      throw .disk(error)
    }
    guard case .run(let table, let hour, let coveredPosition) = work else {
      return Done(result: .nothing)
    }
    do throws(DedupError) {
      return Done(
        result: .runs(
          try files.write(table, hour: hour, coveredPosition: coveredPosition), hour))
    } catch {
      // What is damaged is not merged: the index is made anew.
      if case .damaged = error { files.discard() }
      throw error
    }
  }
}
