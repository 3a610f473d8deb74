internal import StackmeterCore
internal import StackmeterJournal
internal import StackmeterStore

/// The declared sources as a plain walk through the heartbeats finds them.
struct AuditedSources {
  private struct Source: Equatable {
    var cadenceSeconds: UInt32
    var completeUntil: Int64
    var heardTime: Int64
    var position: UInt64
  }

  /// Whether the journal has all heartbeats that there ever were.
  let isWhole: Bool
  private var sources: [ExactText: Source] = [:]

  init(isWhole: Bool) {
    self.isWhole = isWhole
  }

  /// Takes in the heartbeat of a record.
  mutating func hear(_ record: Record) throws(AuditError) {
    guard let heartbeat = record.heartbeat else {
      throw .undecodable(position: record.firstPosition)
    }
    let name = ExactText(heartbeat.source)
    guard heartbeat.cadenceSeconds > 0 else {
      sources[name] = nil
      return
    }
    let known = sources[name]
    // One more than there may be is not declared.
    guard known != nil || sources.count < HeartbeatLimits.sourcesMax else { return }
    let completeUntil = heartbeat.completeUntil.nanoseconds
    if let known, completeUntil <= known.completeUntil,
      heartbeat.cadenceSeconds == known.cadenceSeconds
    {
      return
    }
    sources[name] = Source(
      cadenceSeconds: heartbeat.cadenceSeconds,
      completeUntil: max(completeUntil, known?.completeUntil ?? .min),
      heardTime: record.firstTime.nanoseconds, position: record.firstPosition)
  }

  /// The names of those that, a cadence later, would still not have reached the end of a window.
  func behind(_ window: Hour) -> [String] {
    let end = (window.index + 1) * Instant.nanosecondsPerHour
    return sources.filter { entry in
      entry.value.completeUntil + Int64(entry.value.cadenceSeconds) * 1_000_000_000 < end
    }.map(\.key.text).sorted()
  }

  /// What differs of the sources of a usage database, as sentences. Nothing where the journal does not suffice.
  func differences(from stored: [ReportingSource]) -> [String] {
    guard isWhole else { return [] }
    var differences: [String] = []
    var left = sources
    for source in stored {
      let found = Source(
        cadenceSeconds: source.cadenceSeconds, completeUntil: source.completeUntil.nanoseconds,
        heardTime: source.heardTime.nanoseconds, position: source.position)
      guard let expected = left.removeValue(forKey: ExactText(source.name)) else {
        differences.append("source \(source.name): expected nothing, found it declared")
        continue
      }
      guard expected != found else { continue }
      differences.append(
        "source \(source.name): expected \(Self.text(expected)), found \(Self.text(found))")
    }
    for (name, source) in left.sorted(by: { $0.key.text < $1.key.text }) {
      differences.append("source \(name.text): expected \(Self.text(source)), found nothing")
    }
    return differences
  }

  private static func text(_ source: Source) -> String {
    "complete until \(Instant(nanoseconds: source.completeUntil)), every \(source.cadenceSeconds) "
      + "seconds, heard at \(Instant(nanoseconds: source.heardTime)) in front of position "
      + "\(source.position)"
  }
}
