internal import StackmeterWire

/// What a collector was asked before and after a load.
struct CollectorSample: Sendable {
  let process: ProcessFigures
  let status: CollectorStatus

  init(_ collector: CollectorProcess) async throws {
    status = try await collector.status()
    process = collector.figures
  }
}

extension Latencies {
  /// The percentiles, in milliseconds.
  var figures: [Figure] {
    [
      Figure("latencyP50", median, digits: 3, "ms"),
      Figure("latencyP99", percentile99, digits: 3, "ms"),
      Figure("latencyP999", percentile999, digits: 3, "ms"),
      Figure("latencyMax", longest, digits: 3, "ms"),
    ]
  }
}

extension LoadFigures {
  /// What the load itself says.
  var figures: [Figure] {
    [
      Figure("events", events, "events"),
      .seconds("elapsed", elapsed),
      Figure("eventsPerSecond", eventsPerSecond, "events/s"),
      Figure("accepted", accepted, "events"),
      Figure("duplicates", duplicates, "events"),
      Figure("calls", latencies.count, "batches or calls"),
    ] + latencies.figures + [.cpu("clientCPU", clientCPU, events)]
  }

  /// What the collector did meanwhile.
  func figures(_ before: CollectorSample, _ after: CollectorSample) -> [Figure] {
    let bytes = after.status.journalBytes - before.status.journalBytes
    let cpu = after.process.cpu - before.process.cpu
    return [
      .cpu("collectorCPU", cpu, events),
      .mebibytes("collectorResident", after.process.residentBytes),
      .mebibytes("collectorResidentMax", after.process.residentBytesMax),
      Figure("journalBytes", bytes, "bytes"),
      Figure("journalBytesPerSecond", perSecond(bytes, elapsed), "bytes/s"),
      .ratio("journalBytesPerEvent", bytes, of: accepted, digits: 1, "bytes"),
      Figure("syncs", after.status.syncs - before.status.syncs, "group commits"),
    ]
  }

  /// Throws where the collector has not counted what was sent, no more and no less.
  func check(_ before: CollectorStatus, _ after: CollectorStatus) throws(BenchFailure) {
    let counts = [
      ("accepted", after.accepted - before.accepted, accepted),
      ("duplicates", after.duplicates - before.duplicates, duplicates),
      ("refused", after.refused - before.refused, 0),
      ("the position", after.nextPosition - before.nextPosition, accepted),
    ]
    for (name, counted, expected) in counts where counted != expected {
      throw BenchFailure("GetStatus: \(name) went up by \(counted), not by \(expected)")
    }
  }
}
