internal import StackmeterCore

/// The two tables of samples. The greatest sample of a key is the last one of its table, so that it is found without
/// reading the others.
final class SQLiteSamples {
  private let connection: SQLite
  private let greatestValue: Statement
  private let latest: Statement
  private let hasValue: Statement
  private let insertValue: Statement
  private let insertTime: Statement
  private let deleteValue: Statement
  private let deleteTime: Statement

  init(_ connection: SQLite) throws(StoreError) {
    self.connection = connection
    greatestValue = try connection.prepare(
      """
      SELECT units, attos FROM value_sample WHERE usage_hour = ? AND series = ?
      ORDER BY units DESC, attos DESC LIMIT 1
      """)
    latest = try connection.prepare(
      """
      SELECT units, attos FROM time_sample WHERE usage_hour = ? AND series = ?
      ORDER BY usage_end DESC, usage_start DESC, position DESC LIMIT 1
      """)
    hasValue = try connection.prepare(
      """
      SELECT 1 FROM value_sample
      WHERE usage_hour = ? AND series = ? AND units = ? AND attos = ? LIMIT 1
      """)
    insertValue = try connection.prepare("INSERT INTO value_sample VALUES (?, ?, ?, ?, ?)")
    insertTime = try connection.prepare(
      "INSERT INTO time_sample VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
    deleteValue = try connection.prepare(
      """
      DELETE FROM value_sample
      WHERE usage_hour = ? AND series = ? AND units = ? AND attos = ? AND event = ?
      """)
    deleteTime = try connection.prepare(
      """
      DELETE FROM time_sample
      WHERE usage_hour = ? AND series = ? AND usage_end = ? AND usage_start = ? AND event = ?
      """)
  }

  func greatest(_ keys: [SeriesHour], of kind: Aggregation) throws(StoreError) -> [Quantity?] {
    let select = kind == .latest ? latest : greatestValue
    var quantities: [Quantity?] = []
    quantities.reserveCapacity(keys.count)
    for key in keys {
      select.bind(key)
      guard try select.step() else {
        quantities.append(nil)
        continue
      }
      defer { select.reset() }
      quantities.append(try connection.quantity(select, 0))
    }
    return quantities
  }

  func contains(_ values: [SampleValue]) throws(StoreError) -> [Bool] {
    var found: [Bool] = []
    found.reserveCapacity(values.count)
    for value in values {
      hasValue.bind(value.key)
      hasValue.bind(3, value.quantity.units)
      hasValue.bind(4, value.quantity.remainingAttos)
      found.append(try hasValue.step())
      hasValue.reset()
    }
    return found
  }

  func insert(_ samples: [UsageSample]) throws(StoreError) {
    for sample in samples {
      let insert = sample.kind == .latest ? insertTime : insertValue
      insert.bind(sample.key)
      if sample.kind == .latest {
        insert.bind(3, sample.usageEnd.nanoseconds)
        insert.bind(4, sample.usageStart.nanoseconds)
        insert.bind(5, Int64(bitPattern: sample.position))
        insert.bind(6, sample.event.bytes)
        insert.bind(7, sample.quantity.units)
        insert.bind(8, sample.quantity.remainingAttos)
      } else {
        insert.bind(3, sample.quantity.units)
        insert.bind(4, sample.quantity.remainingAttos)
        insert.bind(5, sample.event.bytes)
      }
      try insert.run()
    }
  }

  func remove(_ samples: [UsageSample]) throws(StoreError) -> [Bool] {
    var found: [Bool] = []
    for sample in samples {
      let delete = sample.kind == .latest ? deleteTime : deleteValue
      delete.bind(sample.key)
      if sample.kind == .latest {
        delete.bind(3, sample.usageEnd.nanoseconds)
        delete.bind(4, sample.usageStart.nanoseconds)
      } else {
        delete.bind(3, sample.quantity.units)
        delete.bind(4, sample.quantity.remainingAttos)
      }
      delete.bind(5, sample.event.bytes)
      try delete.run()
      found.append(connection.changes > 0)
    }
    return found
  }

  /// Removes samples that no correction can reach any more, at most `limit`.
  func removeExpired(limit: Int) throws(StoreError) -> Int {
    var removed = 0
    for (table, key) in [
      ("value_sample", "usage_hour, series, units, attos, event"),
      ("time_sample", "usage_hour, series, usage_end, usage_start, position"),
    ] {
      let delete = try connection.prepare(
        """
        DELETE FROM \(table) WHERE (\(key)) IN (
          SELECT \(key) FROM \(table)
          WHERE usage_hour < (SELECT samples_from FROM pipeline) LIMIT ?)
        """)
      delete.bind(1, Int64(limit - removed))
      try delete.run()
      removed += connection.changes
    }
    return removed
  }
}

extension Statement {
  fileprivate func bind(_ key: SeriesHour) {
    bind(1, key.usageHour.index)
    bind(2, key.series)
  }
}
