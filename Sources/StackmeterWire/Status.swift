package import CStackmeterProto
package import StackmeterCore

/// `GetStatus` of any service.
package struct GetStatusRequest: WireMessage, Hashable {
  package init() {}
  package init(wire raw: borrowing Stackmeter__V1__GetStatusRequest) {}
  package func fill(_ raw: inout Stackmeter__V1__GetStatusRequest, _ packer: borrowing Packer) {}
}

/// How the collector is.
package struct CollectorStatus: WireMessage, Hashable {
  /// The position after the last durable event.
  package var nextPosition: UInt64 = 0
  package var lastReportedTime = Instant(nanoseconds: 0)
  package var journalBytes: UInt64 = 0
  /// Counts since the process started.
  package var accepted: UInt64 = 0
  package var duplicates: UInt64 = 0
  package var refused: UInt64 = 0
  /// Open ones.
  package var quarantineEntries: UInt64 = 0
  package var quarantineBytes: UInt64 = 0
  package var dedupEntries: UInt64 = 0
  package var diskFreeBytes: UInt64 = 0
  /// Ingest is refused below this much free disk.
  package var diskReserveBytes: UInt64 = 0
  /// Empty, or why events are refused now.
  package var refusing = ""
  /// Refused events that were not kept since the process started.
  package var quarantineDropped: UInt64 = 0
  /// Empty, or what is wrong with the host's clock.
  package var clockProblem = ""
  /// Since the process started: each made one group commit durable.
  package var syncs: UInt64 = 0
  /// Those that wait for the event that they correct.
  package var parkedCorrections: UInt64 = 0

  package init() {}

  package init(wire raw: borrowing Stackmeter__V1__CollectorStatus) {
    nextPosition = raw.next_position
    lastReportedTime = Instant(nanoseconds: raw.last_reported_time)
    journalBytes = raw.journal_bytes
    accepted = raw.accepted
    duplicates = raw.duplicates
    refused = raw.refused
    quarantineEntries = raw.quarantine_entries
    quarantineBytes = raw.quarantine_bytes
    dedupEntries = raw.dedup_entries
    diskFreeBytes = raw.disk_free_bytes
    diskReserveBytes = raw.disk_reserve_bytes
    refusing = text(raw.refusing)
    quarantineDropped = raw.quarantine_dropped
    clockProblem = text(raw.clock_problem)
    syncs = raw.syncs
    parkedCorrections = raw.parked_corrections
  }

  package func fill(_ raw: inout Stackmeter__V1__CollectorStatus, _ packer: borrowing Packer) {
    raw.next_position = nextPosition
    raw.last_reported_time = lastReportedTime.nanoseconds
    raw.journal_bytes = journalBytes
    raw.accepted = accepted
    raw.duplicates = duplicates
    raw.refused = refused
    raw.quarantine_entries = quarantineEntries
    raw.quarantine_bytes = quarantineBytes
    raw.dedup_entries = dedupEntries
    raw.disk_free_bytes = diskFreeBytes
    raw.disk_reserve_bytes = diskReserveBytes
    raw.refusing = packer.arena.text(refusing)
    raw.quarantine_dropped = quarantineDropped
    raw.clock_problem = packer.arena.text(clockProblem)
    raw.syncs = syncs
    raw.parked_corrections = parkedCorrections
  }
}

/// How the aggregator is.
package struct AggregatorStatus: WireMessage, Hashable {
  /// The first position that is not in the usage database yet.
  package var nextPosition: UInt64 = 0
  /// The collector's, as last seen.
  package var durablePosition: UInt64 = 0
  package var appliedReportedTime = Instant(nanoseconds: 0)
  package var openWindow = Hour(index: 0)
  package var appliedEvents: UInt64 = 0
  package var commits: UInt64 = 0
  /// Whether the stream from the collector is up.
  package var isFollowing = false
  /// Empty, or why it is not.
  package var problem = ""
  package var unappliedEvents: UInt64 = 0
  /// One sentence for each thing that somebody should look at, though events are counted.
  package var warnings: [String] = []
  /// One sentence for each reason why figures are wrong, or stay behind until somebody does something.
  package var faults: [String] = []

  package init() {}

  package init(wire raw: borrowing Stackmeter__V1__AggregatorStatus) {
    nextPosition = raw.next_position
    durablePosition = raw.durable_position
    appliedReportedTime = Instant(nanoseconds: raw.applied_reported_time)
    openWindow = Hour(index: raw.open_window)
    appliedEvents = raw.applied_events
    commits = raw.commits
    isFollowing = raw.following != 0
    problem = text(raw.problem)
    unappliedEvents = raw.unapplied_events
    warnings = texts(raw.warnings, raw.n_warnings)
    faults = texts(raw.faults, raw.n_faults)
  }

  package func fill(_ raw: inout Stackmeter__V1__AggregatorStatus, _ packer: borrowing Packer) {
    raw.next_position = nextPosition
    raw.durable_position = durablePosition
    raw.applied_reported_time = appliedReportedTime.nanoseconds
    raw.open_window = openWindow.index
    raw.applied_events = appliedEvents
    raw.commits = commits
    raw.following = isFollowing ? 1 : 0
    raw.problem = packer.arena.text(problem)
    raw.unapplied_events = unappliedEvents
    raw.n_warnings = warnings.count
    raw.warnings = packer.arena.texts(warnings)
    raw.n_faults = faults.count
    raw.faults = packer.arena.texts(faults)
  }
}

/// How the whole pipeline is, as query sees it.
package struct PipelineStatus: WireMessage, Hashable {
  package var appliedPosition: UInt64 = 0
  package var appliedReportedTime = Instant(nanoseconds: 0)
  package var openWindow = Hour(index: 0)
  /// Nil where the service did not answer.
  package var collector: CollectorStatus?
  package var aggregator: AggregatorStatus?
  /// One sentence for each thing that is wrong.
  package var problems: [String] = []

  package init() {}

  package init(wire raw: borrowing Stackmeter__V1__PipelineStatus) {
    appliedPosition = raw.applied_position
    appliedReportedTime = Instant(nanoseconds: raw.applied_reported_time)
    openWindow = Hour(index: raw.open_window)
    collector = raw.collector.map { CollectorStatus(wire: $0.pointee) }
    aggregator = raw.aggregator.map { AggregatorStatus(wire: $0.pointee) }
    problems = texts(raw.problems, raw.n_problems)
  }

  package func fill(_ raw: inout Stackmeter__V1__PipelineStatus, _ packer: borrowing Packer) {
    raw.applied_position = appliedPosition
    raw.applied_reported_time = appliedReportedTime.nanoseconds
    raw.open_window = openWindow.index
    if let collector { raw.collector = packer.arena.message { collector.fill(&$0, packer) } }
    if let aggregator { raw.aggregator = packer.arena.message { aggregator.fill(&$0, packer) } }
    raw.n_problems = problems.count
    raw.problems = packer.arena.texts(problems)
  }
}
