package import CStackmeterProto
package import StackmeterCore

/// `Collector.ReportStream`: one columnar batch.
package struct NumberedBatch: WireMessage, Hashable {
  package typealias Contract = Stackmeter__V1__EventBatch

  /// The reporter's own number, echoed in the result.
  package var number: UInt64
  package var batch: EventBatch

  package init(number: UInt64, batch: EventBatch) {
    self.number = number
    self.batch = batch
  }

  package init(wire raw: borrowing Stackmeter__V1__PackedEventBatch) throws(WireError) {
    number = raw.number
    let count = raw.n_id_lengths
    func requireCount(_ size: Int, _ name: String) throws(WireError) {
      guard size == count else {
        throw .invalidField(
          field: name, problem: "has \(size) elements, but id_lengths has \(count)")
      }
    }
    guard count <= EventLimits.batchEventsMax else {
      throw .invalidField(
        field: "id_lengths",
        problem: "has \(count) events; at most \(EventLimits.batchEventsMax) are taken")
    }
    batch = EventBatch(source: text(raw.source))
    guard raw.n_series <= EventLimits.batchEventsMax else {
      throw .invalidField(
        field: "series",
        problem: "has \(raw.n_series) series; at most \(EventLimits.batchEventsMax) are taken")
    }
    batch.series = try SeriesMemory.read(raw.series, raw.n_series)
    batch.ids = bytes(raw.ids)
    batch.idEnds.reserveCapacity(count)
    var end = 0
    for length in column(raw.id_lengths, count) {
      end += Int(length)
      batch.idEnds.append(end)
    }
    guard end == batch.ids.count else {
      throw .invalidField(
        field: "id_lengths", problem: "sum to \(end), but ids has \(batch.ids.count) bytes")
    }
    try requireCount(raw.n_series_indices, "series_indices")
    batch.seriesIndex = column(raw.series_indices, count)
    if let index = batch.seriesIndex.firstIndex(where: { Int($0) >= batch.series.count }) {
      throw .invalidField(
        field: "series_indices[\(index)]",
        problem: "is \(batch.seriesIndex[index]), but there are \(batch.series.count) series")
    }
    try requireCount(raw.n_usage_starts, "usage_starts")
    batch.usageStart = column(raw.usage_starts, count)
    try requireCount(raw.n_usage_ends, "usage_ends")
    batch.usageEnd = column(raw.usage_ends, count)
    try requireCount(raw.n_quantity_units, "quantity_units")
    let units = column(raw.quantity_units, count)
    if raw.n_quantity_attos > 0 { try requireCount(raw.n_quantity_attos, "quantity_attos") }
    let attos = column(raw.quantity_attos, raw.n_quantity_attos)
    batch.attos.reserveCapacity(count)
    for index in 0..<count {
      batch.attos.append(
        Quantity.attos(units: units[index], attos: attos.isEmpty ? 0 : attos[index]))
    }
    batch.corrections = try elements(raw.corrections, raw.n_corrections) {
      (raw) throws(WireError) in
      let correction = Correction(replaces: text(raw.replaces), voids: text(raw.voids))
      guard let correction else {
        throw .invalidField(field: "corrections", problem: "have one that names no event's id")
      }
      return PlacedCorrection(event: Int(raw.event_index), correction)
    }
    try batch.requirePlacedCorrections()
  }

  package func fill(
    _ raw: inout Stackmeter__V1__PackedEventBatch, _ packer: borrowing Packer
  ) {
    raw.number = number
    raw.source = packer.arena.text(batch.source)
    raw.n_series = batch.series.count
    raw.series = packer.arena.buffer(ProtobufCBinaryData.self, count: batch.series.count)
    for (index, series) in batch.series.enumerated() {
      (raw.series + index).initialize(to: packer.arena.bytes(series.packed { $0.packed() }))
    }
    raw.ids = packer.arena.bytes(batch.ids)
    var start = 0
    var lengths: [UInt32] = []
    lengths.reserveCapacity(batch.count)
    for end in batch.idEnds {
      lengths.append(UInt32(end - start))
      start = end
    }
    raw.n_id_lengths = batch.count
    raw.id_lengths = packer.arena.column(lengths)
    raw.n_series_indices = batch.count
    raw.series_indices = packer.arena.column(batch.seriesIndex)
    raw.n_usage_starts = batch.count
    raw.usage_starts = packer.arena.column(batch.usageStart)
    raw.n_usage_ends = batch.count
    raw.usage_ends = packer.arena.column(batch.usageEnd)
    var units: [Int64] = []
    var attos: [Int64] = []
    units.reserveCapacity(batch.count)
    attos.reserveCapacity(batch.count)
    for value in batch.attos {
      // What is no quantity stays none: its parts have different signs.
      let quantity = Quantity(attos: value)
      units.append(quantity?.units ?? 1)
      attos.append(quantity?.remainingAttos ?? -1)
    }
    raw.n_quantity_units = batch.count
    raw.quantity_units = packer.arena.column(units)
    raw.n_quantity_attos = batch.count
    raw.quantity_attos = packer.arena.column(attos)
    raw.n_corrections = batch.corrections.count
    raw.corrections = packer.arena.messages(batch.corrections) {
      (placed, raw: inout Stackmeter__V1__EventCorrection) in
      raw.event_index = UInt32(placed.event)
      raw.replaces = packer.arena.text(placed.correction.replaces)
      raw.voids = packer.arena.text(placed.correction.voids)
    }
  }
}

extension EventBatch {
  /// Throws where the corrections are not in the order of the events, one for each at most.
  fileprivate func requirePlacedCorrections() throws(WireError) {
    var next = 0
    for placed in corrections {
      guard (next..<count).contains(placed.event) else {
        throw .invalidField(
          field: "corrections",
          problem: "name event \(placed.event) where one of \(next)..<\(count) must follow")
      }
      next = placed.event + 1
    }
  }
}

/// What became of one batch: one result for each event, in order. Runs of like results travel as one.
package struct BatchResult: WireMessage, Hashable {
  package var number: UInt64
  package var results: EventResults

  package init(number: UInt64, results: EventResults) {
    self.number = number
    self.results = results
  }

  package init(wire raw: borrowing Stackmeter__V1__BatchResult) throws(WireError) {
    number = raw.number
    var results = EventResults()
    let runs = try elements(raw.ranges, raw.n_ranges) { (raw) throws(WireError) in
      EventResults.Run(
        count: Int(raw.count),
        first: try EventResult(
          outcome: raw.outcome, position: raw.position, reportedTime: raw.reported_time,
          refusal: Refusal(
            reasonName: text(raw.reason), field: text(raw.field), message: text(raw.message))))
    }
    for run in runs {
      guard results.count + run.count <= EventLimits.batchEventsMax else {
        throw .invalidField(field: "ranges", problem: "have more results than a batch has events")
      }
      results.append(run.first, count: run.count)
    }
    self.results = results
  }

  package func fill(_ raw: inout Stackmeter__V1__BatchResult, _ packer: borrowing Packer) {
    raw.number = number
    raw.n_ranges = results.runs.count
    raw.ranges = packer.arena.messages(results.runs) {
      (run, raw: inout Stackmeter__V1__ResultRange) in
      raw.count = UInt32(run.count)
      raw.outcome = run.first.outcome
      raw.position = run.first.position
      raw.reported_time = run.first.reportedTime
      guard let refusal = run.first.refusal else { return }
      raw.reason = packer.arena.text(refusal.reason.name)
      raw.field = packer.arena.text(refusal.field)
      raw.message = packer.arena.text(refusal.message)
    }
  }
}
