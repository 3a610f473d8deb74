package import StackmeterCore

extension UsageWriter {
  /// Books what a finished stage has into the open transaction, as of `position`, with the rules that make it so:
  /// differences in the open window, samples in place of those of the earlier rules. Returns how much had to be kept
  /// aside.
  package func restate(
    _ stage: RestateStage, fromHour: Hour, at position: PipelinePosition
  ) throws(StoreError) -> Int {
    let window = position.openWindow
    try stage.number { (series) throws(StoreError) in
      // All of them are there, but for those that no number was left for.
      try store.intern(
        series.map {
          NewSeries($0, firstWindow: window, firstPosition: position.nextPosition)
        })
    }
    var aside: [UnappliedQuantity] = []
    var last: SeriesHour?
    while true {
      let page = try stage.differences(after: last, limit: RestateStage.rowsPerRead)
      guard let end = page.last else { break }
      last = end.key
      var rows = RowDeltas()
      for (key, attos) in page {
        rows.add(
          SumDelta(
            key: key, sum: attos, least: min(0, attos), greatest: max(0, attos),
            position: position.nextPosition - 1))
      }
      try write(rows, window, .single, &aside)
    }
    try exchangeSamples(of: stage, from: max(fromHour, samplesFrom(in: window, position)))
    try store.put(
      rules: stage.changes.map {
        $0.rule(
          from: position.nextPosition,
          MeterRule.Restatement(window: window, fromHour: fromHour))
      })
    try store.keepAside(aside)
    return aside.count
  }

  private func exchangeSamples(of stage: RestateStage, from hour: Hour) throws(StoreError) {
    // Max and unique count have the same samples.
    let isSame = stage.changes.map { $0.from.sampleTable == $0.to.sampleTable }
    try stage.samples(from: hour) { (page) throws(StoreError) in
      var (removed, inserted): ([UsageSample], [UsageSample]) = ([], [])
      for (index, sample) in page where !isSame[index] {
        let change = stage.changes[index]
        if change.from.sampleTable != nil { removed.append(sample.of(change.from)) }
        if change.to.sampleTable != nil { inserted.append(sample.of(change.to)) }
      }
      _ = try store.remove(samples: removed)
      try store.insert(samples: inserted)
    }
  }
}

private enum SampleTable {
  case value
  case time
}

extension Aggregation {
  /// Where its samples are; nil where it has none.
  fileprivate var sampleTable: SampleTable? {
    switch self {
    case .sum: nil
    case .max, .uniqueCount: .value
    case .latest: .time
    }
  }
}

extension UsageSample {
  fileprivate func of(_ kind: Aggregation) -> UsageSample {
    UsageSample(
      key: key, kind: kind, event: event, usageStart: usageStart, usageEnd: usageEnd,
      position: position, quantity: quantity)
  }
}
