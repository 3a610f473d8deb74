/// A source that usage is expected of.
package struct ReportingSource: Hashable, Sendable {
  package let name: String
  package var cadenceSeconds: UInt32
  /// All its usage before this is reported. Never goes back while the source is declared.
  package var completeUntil: Instant
  /// The reported time of the last heartbeat that said something new.
  package var heardTime: Instant
  /// The first journal position behind that heartbeat.
  package var position: UInt64

  package init(
    name: String, cadenceSeconds: UInt32, completeUntil: Instant, heardTime: Instant,
    position: UInt64
  ) {
    self.name = name
    self.cadenceSeconds = cadenceSeconds
    self.completeUntil = completeUntil
    self.heardTime = heardTime
    self.position = position
  }

  package var cadence: Duration { .seconds(Int64(cadenceSeconds)) }

  /// The heartbeat that makes the same source.
  package var heartbeat: Heartbeat {
    Heartbeat(source: name, cadenceSeconds: cadenceSeconds, completeUntil: completeUntil)
  }

  /// How long ago it should have said more; zero where it need not yet.
  package func overdue(at now: Instant) -> Duration {
    max(.zero, now - heardTime - cadence)
  }

  /// Whether it is late by more than a person should hear of: more than two cadences.
  package func isSilent(at now: Instant) -> Bool {
    overdue(at: now) > cadence * 2
  }
}

/// The declared sources: what heartbeats make of each other, in the order of the journal and nothing else. So the
/// collector, the aggregator and whoever rebuilds from the journal have the same.
package struct SourceTable: Hashable, Sendable {
  /// What became of a heartbeat.
  package enum Outcome: Hashable, Sendable {
    /// It said something new: what stands now.
    case changed(ReportingSource)
    case ended
    /// It said nothing new: what stands, nil where the source is not declared.
    case unchanged(ReportingSource?)
    /// There is no room for one more source.
    case full
  }

  private var sources: [ExactText: ReportingSource] = [:]

  package init(_ sources: [ReportingSource] = []) {
    for source in sources { self.sources[ExactText(source.name)] = source }
  }

  package var count: Int { sources.count }
  package var isEmpty: Bool { sources.isEmpty }

  package subscript(name: String) -> ReportingSource? { sources[ExactText(name)] }

  /// By name.
  package var all: [ReportingSource] { sources.values.sorted { $0.name < $1.name } }

  /// What a heartbeat would change.
  package func outcome(of heartbeat: Heartbeat, time: Instant, position: UInt64) -> Outcome {
    guard var source = self[heartbeat.source] else {
      if heartbeat.isEnd { return .unchanged(nil) }
      guard count < HeartbeatLimits.sourcesMax else { return .full }
      return .changed(
        ReportingSource(
          name: heartbeat.source, cadenceSeconds: heartbeat.cadenceSeconds,
          completeUntil: heartbeat.completeUntil, heardTime: time, position: position))
    }
    if heartbeat.isEnd { return .ended }
    guard
      heartbeat.completeUntil > source.completeUntil
        || heartbeat.cadenceSeconds != source.cadenceSeconds
    else { return .unchanged(source) }
    source.cadenceSeconds = heartbeat.cadenceSeconds
    source.completeUntil = max(source.completeUntil, heartbeat.completeUntil)
    source.heardTime = time
    source.position = position
    return .changed(source)
  }

  /// Takes a heartbeat of the journal in.
  @discardableResult
  package mutating func take(_ heartbeat: Heartbeat, time: Instant, position: UInt64) -> Outcome {
    let outcome = outcome(of: heartbeat, time: time, position: position)
    switch outcome {
    case .changed(let source): sources[ExactText(source.name)] = source
    case .ended: sources[ExactText(heartbeat.source)] = nil
    case .unchanged, .full: break
    }
    return outcome
  }

  /// The sources that are further behind the end of a window than their cadence explains.
  package func behind(_ window: Hour) -> MissingSources {
    MissingSources(
      sources.values.lazy.filter { $0.completeUntil.advanced(by: $0.cadence) < window.next.start }
        .map(\.name))
  }
}
