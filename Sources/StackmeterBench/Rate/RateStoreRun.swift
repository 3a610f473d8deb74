internal import Glibc
internal import StackmeterBilling
internal import StackmeterCore
internal import StackmeterRating
internal import StackmeterRuntime
internal import StackmeterStore

/// Closes the statements of a month from a usage database, as the aggregator does: subscription by subscription, with
/// sums that the database makes, and written in transactions of many.
struct RateStoreRun {
  private static let journalID: UInt64 = 77

  let options: RateOptions
  /// Of the new database.
  let path: String
  /// What all lines must come to.
  let expected: Cost

  func close() throws -> (closed: Closed, figures: [Figure]) {
    let store = try SQLiteUsageStore(path: path)
    defer { store.close() }
    if options.focus { try store.replaceCatalog(try meterCatalog(options.catalog)) }
    let rows = try write(to: store)
    let card = RateDataset.card
    let text = Array(card.utf8)
    let parsed = try RateCard(parsing: text)
    try store.put(
      rateCard: StoredRateCard(
        name: parsed.name, version: Int64(parsed.version), effective: parsed.effective,
        currency: parsed.currency.code, text: text), text: text)

    resetPeak()
    let before = ProcessFigures.ofThisProcess()
    var closed = Closed()
    let elapsed = try ContinuousClock().measure { closed = try close(store, parsed.name) }
    let after = ProcessFigures.ofThisProcess()
    guard closed.cost == expected, closed.statements == options.subscriptions else {
      throw BenchFailure("the closed statements do not tie to the charges")
    }
    let figures = [
      Figure("aggregates", rows, "aggregates"),
      Figure("statements", closed.statements, "statements"),
      Figure("lines", closed.lines, "lines"),
      .seconds("elapsed", elapsed),
      .cpu("cpu", after.cpu - before.cpu, per: "aggregates", UInt64(rows)),
      // The first is mostly what making the rows has left to be used again.
      .mebibytes("memoryBefore", before.residentBytes),
      .mebibytes("memoryMax", after.residentBytesMax),
    ]
    return (closed, figures)
  }

  /// Fills the database window by window; how many aggregates it has then.
  private func write(to store: SQLiteUsageStore) throws -> Int {
    let rows = RateDataset(options, isShuffled: false).rows
    let windows = Dictionary(grouping: rows.indices) { rows[$0].window }
    var position: UInt64 = 1
    for (window, indices) in windows.sorted(by: { $0.key < $1.key }) {
      try Interruption.check()
      try store.begin()
      if position == 1 {
        try store.put(
          rules: RateDataset.meters.map {
            MeterRule(meter: $0, fromPosition: 1, aggregation: .sum)
          })
      }
      position += 1
      let numbers = try store.intern(
        indices.map {
          NewSeries(rows[$0].series, firstWindow: window, firstPosition: position)
        })
      let aggregates = zip(numbers, indices).map { number, index in
        (
          key: SeriesHour(series: number!, usageHour: rows[index].usageStart.hour),
          quantity: rows[index].quantity
        )
      }
      try store.put(aggregates: aggregates.sorted { $0.key < $1.key }, of: window)
      try store.close(window, endPosition: position, journalID: RateStoreRun.journalID)
      try commit(store, position, open: window.next)
    }
    let end = RateDataset.period.end.firstHour
    if try store.position().openWindow < end {
      try store.begin()
      try commit(store, position + 1, open: end)
    }
    return rows.count
  }

  private func commit(_ store: SQLiteUsageStore, _ position: UInt64, open: Hour) throws {
    try store.commit(
      PipelinePosition(
        nextPosition: position, reportedTime: open.start, openWindow: open,
        journalID: RateStoreRun.journalID))
  }

  /// What was closed.
  struct Closed: Sendable {
    fileprivate(set) var statements = 0
    fileprivate(set) var lines = 0
    fileprivate(set) var cost: Cost? = .zero
    /// Of all statements, as they were rounded.
    fileprivate(set) var total: Cost? = .zero

    fileprivate mutating func add(_ statement: Statement) {
      statements += 1
      lines += statement.lines.count
      for line in statement.lines { cost = cost?.adding(line.cost) }
      total = total.flatMap { sum in statement.total?.cost.flatMap { sum.adding($0) } }
    }
  }

  private func close(_ store: SQLiteUsageStore, _ card: String) throws -> Closed {
    let reader = try SQLiteUsageReader(path: path)
    guard let cards = try RateCards(card, reader) else {
      throw BenchFailure("the card was not stored")
    }
    var closed = Closed()
    var numbers = StatementNumbers()
    var batch: [NewStatement] = []
    var after = ""
    while true {
      let page = try reader.subscriptions(
        ids: nil, after: after, limit: BillingLimits.draftsAtOnce)
      guard let last = page.last else { break }
      after = last.id
      let biller = try Biller(cards, subscriptions: page, period: RateDataset.period)
      let drafts = try reader.snapshot { (reader) throws(StoreError) in
        try biller.drafts(reader, closedOnly: true)
      }
      for draft in drafts {
        let draft = try draft.get()
        closed.add(draft.statement)
        batch.append(try draft.closed(&numbers, card: card, acceptsUnrated: false))
        if batch.count == BillingLimits.statementsAtOnce {
          try store.put(statements: batch)
          batch = []
        }
      }
    }
    if !batch.isEmpty { try store.put(statements: batch) }
    return closed
  }

  /// The kernel's peak of this process is from now on.
  private func resetPeak() {
    let file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC)
    guard file >= 0 else { return }
    _ = Glibc.write(file, "5", 1)
    Glibc.close(file)
  }
}
