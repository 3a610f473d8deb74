package import StackmeterCore

/// What stands in the file in the end, page by page, by the numbers that its series have in the usage database.
extension RestateStage {
  /// A difference between two rules, as people are told of it.
  package struct Difference: Hashable, Sendable {
    package let series: Series
    package let usageHour: Hour
    package let attos: Int128
  }

  /// The first differences, by subscription, meter, resource and usage hour.
  package func differences(limit: Int) throws(StoreError) -> [Difference] {
    let select = try connection.prepare(
      """
      SELECT s.subscription, s.meter, s.resource_uri, s.location, s.tags, s.additional_info,
        d.usage_hour, d.high, d.low
      FROM difference d JOIN series s ON s.id = d.series
      ORDER BY s.subscription, s.meter, s.resource_uri, s.id, d.usage_hour LIMIT ?
      """)
    select.bind(1, Int64(limit))
    var differences: [Difference] = []
    while try select.step() {
      differences.append(
        Difference(
          series: select.series(0), usageHour: Hour(index: select.integer(6)),
          attos: select.wide(7)))
    }
    return differences
  }

  /// Gives series their numbers; those without one stay out of everything that follows.
  func number(
    _ numbers: (_ series: [Series]) throws(StoreError) -> [Int64?]
  ) throws(StoreError) {
    let select = try connection.prepare(
      """
      SELECT id, subscription, meter, resource_uri, location, tags, additional_info FROM series
      WHERE id > ? ORDER BY id LIMIT ?
      """)
    let update = try connection.prepare("UPDATE series SET number = ? WHERE id = ?")
    var last: Int64 = 0
    while true {
      var (ids, page): ([Int64], [Series]) = ([], [])
      select.bind(1, last)
      select.bind(2, Int64(RestateStage.rowsPerRead))
      while try select.step() {
        ids.append(select.integer(0))
        page.append(select.series(1))
      }
      guard let end = ids.last else { break }
      last = end
      let found = try numbers(page)
      try connection.transaction("BEGIN") { () throws(StoreError) in
        for (id, number) in zip(ids, found) {
          if let number { update.bind(1, number) } else { update.bindNull(1) }
          update.bind(2, id)
          try update.run()
        }
      }
    }
    try connection.execute("CREATE INDEX IF NOT EXISTS series_number ON series (number)")
  }

  /// At most `limit` differences after a key, by key.
  func differences(
    after key: SeriesHour?, limit: Int
  ) throws(StoreError) -> [(key: SeriesHour, attos: Int128)] {
    let select = try connection.prepare(
      """
      SELECT s.number, d.usage_hour, d.high, d.low
      FROM series s CROSS JOIN difference d ON d.series = s.id
      WHERE s.number >= ?1 AND (s.number > ?1 OR d.usage_hour > ?2)
      ORDER BY s.number, d.usage_hour LIMIT ?3
      """)
    select.bind(1, key?.series ?? 0)
    select.bind(2, key?.usageHour.index ?? .min)
    select.bind(3, Int64(limit))
    var page: [(key: SeriesHour, attos: Int128)] = []
    while try select.step() {
      let key = SeriesHour(
        series: select.integer(0), usageHour: Hour(index: select.integer(1)))
      page.append((key, select.wide(2)))
    }
    return page
  }

  /// Lends the events of the usage hours from one on, some at a time, by usage hour, series and position; each with its
  /// change, and of no kind of samples yet.
  func samples(
    from hour: Hour, _ body: ([(change: Int, sample: UsageSample)]) throws(StoreError) -> Void
  ) throws(StoreError) {
    let select = try connection.prepare(
      """
      SELECT e.usage_hour, s.number, s.change, e.event, e.usage_start, e.usage_end, e.position,
        e.units, e.attos
      FROM event e JOIN series s ON s.id = e.series
      WHERE e.usage_hour >= ? AND s.number IS NOT NULL
      ORDER BY e.usage_hour, s.number, e.position
      """)
    select.bind(1, hour.index)
    var page: [(change: Int, sample: UsageSample)] = []
    while try select.step() {
      let key = SeriesHour(
        series: select.integer(1), usageHour: Hour(index: select.integer(0)))
      page.append(
        (
          Int(select.integer(2)),
          UsageSample(
            key: key, kind: .sum, event: SampleID(bytes: select.bytes(3)),
            usageStart: Instant(nanoseconds: select.integer(4)),
            usageEnd: Instant(nanoseconds: select.integer(5)),
            position: UInt64(bitPattern: select.integer(6)),
            quantity: try connection.quantity(select, 7))
        ))
      guard page.count >= RestateStage.rowsPerRead else { continue }
      try body(page)
      page.removeAll(keepingCapacity: true)
    }
    if !page.isEmpty { try body(page) }
  }
}

extension Statement {
  /// 128 bits in two columns.
  fileprivate func wide(_ first: Int32) -> Int128 {
    Int128(integer(first)) << 64 | Int128(UInt64(bitPattern: integer(first + 1)))
  }
}

extension SampleID {
  /// Of 16 bytes, as `bytes` gives them.
  fileprivate init(bytes: [UInt8]) {
    let words = bytes.withUnsafeBytes {
      (
        UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)),
        UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
      )
    }
    self.init(high: words.0, low: words.1)
  }
}
