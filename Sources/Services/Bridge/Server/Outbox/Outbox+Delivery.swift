internal import StackmeterCommerce
internal import StackmeterCore
internal import StackmeterStore
internal import StackmeterWire

/// A record that the commerce service has refused.
struct RefusedRecord: Hashable, Sendable {
  let id: String
  let code: String
  let reason: String
  /// As it was sent.
  let record: [UInt8]
}

extension Outbox {
  /// The next batches, all of one window: no window is begun before everything of those before it is settled. Whatever
  /// becomes of them now, they count as sent.
  func take(_ limit: Int) throws(StoreError) -> [OutgoingBatch] {
    let select = try database.prepare(
      """
      SELECT number, id, window, records, body, state FROM batch
      WHERE window = (SELECT MIN(window) FROM batch) ORDER BY number LIMIT ?1
      """)
    select.bind(1, Int64(limit))
    var batches: [OutgoingBatch] = []
    var hasPending = false
    while try select.step() {
      batches.append(
        OutgoingBatch(
          number: select.integer(0), id: select.text(1), window: Hour(index: select.integer(2)),
          records: Int(select.integer(3)), body: select.bytes(4)))
      if select.integer(5) == 0 { hasPending = true }
    }
    if hasPending {
      try database.transaction { () throws(StoreError) in
        let update = try database.prepare("UPDATE batch SET state = 1 WHERE number = ?1")
        for batch in batches {
          update.bind(1, batch.number)
          try update.run()
        }
      }
    }
    return batches
  }

  /// The next batches that nobody has seen yet, of whatever window.
  func pending(_ limit: Int) throws(StoreError) -> [OutgoingBatch] {
    let select = try database.prepare(
      """
      SELECT number, id, window, records, body FROM batch
      WHERE state = 0 ORDER BY window, number LIMIT ?1
      """)
    select.bind(1, Int64(limit))
    var batches: [OutgoingBatch] = []
    while try select.step() {
      batches.append(
        OutgoingBatch(
          number: select.integer(0), id: select.text(1), window: Hour(index: select.integer(2)),
          records: Int(select.integer(3)), body: select.bytes(4)))
    }
    return batches
  }

  func markSent(_ batch: OutgoingBatch) throws(StoreError) {
    let update = try database.prepare("UPDATE batch SET state = 1 WHERE number = ?1")
    update.bind(1, batch.number)
    try update.run()
  }

  /// The batch that is not settled yet, by the id that it was sent under.
  func batch(id: String) throws(StoreError) -> OutgoingBatch? {
    let select = try database.prepare(
      "SELECT number, id, window, records, body FROM batch WHERE id = ?1 ORDER BY number LIMIT 1")
    defer { select.reset() }
    select.bind(1, id)
    guard try select.step() else { return nil }
    return OutgoingBatch(
      number: select.integer(0), id: select.text(1), window: Hour(index: select.integer(2)),
      records: Int(select.integer(3)), body: select.bytes(4))
  }

  /// The batch is settled: its records count at the commerce service, but for those that it has refused, which are
  /// dead letters. Nothing happens where it was settled meanwhile.
  func settle(
    _ batch: OutgoingBatch, refused: [RefusedRecord], at now: Instant
  ) throws(StoreError) {
    try database.transaction { () throws(StoreError) in
      guard try remove(batch) else { return }
      let letter = try database.prepare(
        """
        INSERT INTO dead_letter (id, window, code, reason, refused, record)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (id) DO UPDATE SET code = excluded.code, reason = excluded.reason,
          refused = excluded.refused, record = excluded.record
        """)
      for record in refused {
        letter.bind(1, record.id)
        letter.bind(2, batch.window.index)
        letter.bind(3, record.code)
        letter.bind(4, record.reason)
        letter.bind(5, now.nanoseconds)
        letter.bind(6, record.record)
        try letter.run()
      }
      putSettled.bind(1, batch.window.index)
      putSettled.bind(2, Int64(batch.records - refused.count))
      putSettled.bind(3, Int64(refused.count))
      try putSettled.run()
    }
  }

  /// Puts others in the place of a batch.
  func replace(_ batch: OutgoingBatch, by others: [PreparedBatch]) throws(StoreError) {
    try database.transaction { () throws(StoreError) in
      guard try remove(batch) else { return }
      for other in others { try insert(other) }
    }
  }

  private func remove(_ batch: OutgoingBatch) throws(StoreError) -> Bool {
    deleteBatch.bind(1, batch.number)
    deleteBatch.bind(2, batch.id)
    try deleteBatch.run()
    return database.changes == 1
  }

  /// Has windows read and sent once more. Those that were not read yet are left out. Returns how many.
  func readAgain(_ windows: Range<Hour>) throws(StoreError) -> Int {
    let progress = try database.prepare("SELECT window FROM progress")
    guard try progress.step() else { return 0 }
    let end = min(windows.upperBound, Hour(index: progress.integer(0)))
    progress.reset()
    guard windows.lowerBound < end else { return 0 }
    try database.transaction { () throws(StoreError) in
      for table in ["batch", "dead_letter", "settled", "again"] {
        let delete = try database.prepare("DELETE FROM \(table) WHERE window >= ?1 AND window < ?2")
        delete.bind(1, windows.lowerBound.index)
        delete.bind(2, end.index)
        try delete.run()
      }
      let insert = try database.prepare(
        "INSERT INTO again (window, token, rows) VALUES (?1, '', 0)")
      for window in windows.lowerBound.index..<end.index {
        insert.bind(1, window)
        try insert.run()
      }
    }
    return Int(end.index - windows.lowerBound.index)
  }

  /// Those with a greater number than `after`.
  func deadLetters(after: UInt64, limit: Int) throws(StoreError) -> [DeadLetter] {
    let select = try database.prepare(
      """
      SELECT number, id, window, code, reason, refused, record FROM dead_letter
      WHERE number > ?1 ORDER BY number LIMIT ?2
      """)
    select.bind(1, Int64(clamping: after))
    select.bind(2, Int64(limit))
    var letters: [DeadLetter] = []
    while try select.step() {
      letters.append(
        DeadLetter(
          number: UInt64(select.integer(0)), id: select.text(1), code: select.text(3),
          reason: select.text(4), refused: Instant(nanoseconds: select.integer(5)),
          window: Hour(index: select.integer(2)), record: select.bytes(6)))
    }
    return letters
  }

  /// Makes batches of dead letters again; of all of them where none is named. Returns how many letters those were.
  func resendDeadLetters(
    _ numbers: [UInt64], site: String, model: CommerceModel
  ) throws(StoreError) -> Int {
    let wanted = Set(numbers)
    var (after, count): (UInt64, Int) = (0, 0)
    while true {
      let letters = try deadLetters(after: after, limit: CommerceBatch.recordsMax)
      guard let last = letters.last else { return count }
      after = last.number
      let chosen = wanted.isEmpty ? letters : letters.filter { wanted.contains($0.number) }
      try database.transaction { () throws(StoreError) in
        let delete = try database.prepare("DELETE FROM dead_letter WHERE number = ?1")
        for letter in chosen {
          delete.bind(1, Int64(letter.number))
          try delete.run()
          putSettled.bind(1, letter.window.index)
          putSettled.bind(2, 0)
          putSettled.bind(3, -1)
          try putSettled.run()
        }
        for (window, letters) in Dictionary(grouping: chosen, by: \.window)
          .sorted(by: { $0.key < $1.key })
        {
          var builder = BatchBuilder(site: site, model: model, window: window)
          for letter in letters { builder.add(id: letter.id, json: letter.record) }
          for batch in builder.finish() { try insert(batch) }
        }
      }
      count += chosen.count
    }
  }
}
