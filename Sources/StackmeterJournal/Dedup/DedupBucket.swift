internal import StackmeterCore

/// The known events of one usage hour: those in memory, those that are being written to a run, and runs.
final class DedupBucket {
  let hour: Hour
  var table: DedupTable
  /// On its way to become a run; nobody changes it any more.
  var frozen: DedupTable?
  var runs: [DedupRun]
  /// The runs have the events below this position.
  var coveredPosition: UInt64 = 0
  /// What no entries file has yet.
  var recent: [DedupEntry] = []
  /// The turn of the index in which an event was last inserted: cold hours have a low one.
  var lastTurn: UInt64 = 0

  init(_ hour: Hour, runs: [DedupRun] = [], expectedCount: Int = 0) {
    self.hour = hour
    self.runs = runs
    table = DedupTable(expectedCount: expectedCount)
  }

  /// The events in memory.
  var residentCount: Int { table.count + (frozen?.count ?? 0) }
  var count: Int { runs.reduce(residentCount) { $0 + $1.count } }

  /// Inserts an event at `position` and returns nil, unless its identity is known.
  func remember(
    _ digest: EventDigest, position: UInt64
  ) throws(DedupError) -> DedupMatches? {
    let entry = DedupEntry(digest, position: position)
    if frozen != nil || !runs.isEmpty {
      let matches = try find(digest)
      if !matches.isEmpty { return matches }
      table.insert(entry)
    } else if !table.insertIfUnknown(entry) {
      return try find(digest)
    }
    recent.append(entry)
    return nil
  }

  func find(_ digest: EventDigest) throws(DedupError) -> DedupMatches {
    var matches = DedupMatches()
    table.find(digest, &matches)
    frozen?.find(digest, &matches)
    for run in runs { try run.find(digest, &matches) }
    return matches
  }
}
