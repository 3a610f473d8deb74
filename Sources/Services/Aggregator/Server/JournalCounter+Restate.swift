internal import StackmeterCore
internal import StackmeterJournal
internal import StackmeterStore

/// Meters whose rules changed at one place of the journal, in a database that is made anew.
struct DueRestatement {
  let changes: [RuleChange]
  let position: UInt64
  let window: Hour
  let fromHour: Hour

  /// What `rules` say was restated, in order, without what a database has `known` already. Rules are by meter and
  /// number.
  static func all(_ rules: [MeterRule], known: [MeterRule]) -> [DueRestatement] {
    var numbers: [ExactText: Int64] = [:]
    for rule in known { numbers[ExactText(rule.meter)] = rule.number }
    var last: [ExactText: Aggregation] = [:]
    var due: [DueRestatement] = []
    for rule in rules {
      let meter = ExactText(rule.meter)
      defer { last[meter] = rule.aggregation }
      guard let restatement = rule.restatement, let from = last[meter],
        rule.number > numbers[meter] ?? 0
      else { continue }
      due.append(
        DueRestatement(
          changes: [
            RuleChange(
              meter: rule.meter, from: from, to: rule.aggregation, number: rule.number)
          ], position: rule.fromPosition, window: restatement.window,
          fromHour: restatement.fromHour))
    }
    // Those of one meter at one place stay in their order.
    return due.enumerated().sorted {
      ($0.element.position, $0.element.window.index, $0.offset)
        < ($1.element.position, $1.element.window.index, $1.offset)
    }.map(\.element)
  }

  /// Whether it comes in front of what a record would do at a position.
  func isDue(at position: PipelinePosition, before record: Record) throws(RollupError) -> Bool {
    guard position.nextPosition >= self.position,
      record.nextPosition > position.nextPosition || record.firstTime.hour > window
    else { return false }
    guard isHere(position) else {
      throw .ruleOutOfPlace(meter: changes[0].meter, position: self.position, window: window)
    }
    return true
  }

  func isHere(_ position: PipelinePosition) -> Bool {
    position.nextPosition == self.position && position.openWindow == window
  }
}

/// Where a rebuild has the journal from.
struct RestateSource {
  /// Of a file that is made and removed.
  let path: String
  /// Gives a counter the journal up to its end position.
  let read: (_ counter: RestateCounter, _ end: UInt64) throws -> Void
}

extension JournalCounter {
  /// What the catalog says of meters that are counted in another way.
  func changes() throws(StoreError) -> [RuleChange] {
    RuleChange.all(catalog, try store.rules())
  }

  /// Books what a finished stage has, together with its rules, in one transaction: everything or nothing. The stage has
  /// counted everything in front of `nextPosition`, which must be where the database is. Returns how much had to be
  /// kept aside.
  @discardableResult
  func restate(
    _ stage: RestateStage, fromHour: Hour, at nextPosition: UInt64
  ) throws(StoreError) -> Int {
    var attempts = 1
    while true {
      do throws(StoreError) {
        return try restateOnce(stage, fromHour, nextPosition)
      } catch {
        guard error.kind == .interrupted, attempts < JournalCounter.attemptsMax else { throw error }
        attempts += 1
      }
    }
  }

  private func restateOnce(
    _ stage: RestateStage, _ fromHour: Hour, _ nextPosition: UInt64
  ) throws(StoreError) -> Int {
    try refreshPosition()
    guard position.nextPosition == nextPosition else {
      throw StoreError(
        .system,
        "the usage database is at position \(position.nextPosition), and not at "
          + "\(nextPosition), up to which was restated; try again")
    }
    let known = try store.rules()
    let isDone = stage.changes.allSatisfy { change in
      known.contains {
        $0.meter.hasSameBytes(as: change.meter) && $0.number == change.number
          && $0.fromPosition == nextPosition && $0.aggregation == change.to
      }
    }
    // Nobody may have said so when it was committed.
    let aside = isDone ? 0 : try book(stage, fromHour)
    try adopt(try store.rules())
    return aside
  }

  private func book(_ stage: RestateStage, _ fromHour: Hour) throws(StoreError) -> Int {
    do throws(StoreError) {
      try writer.begin()
      let aside = try writer.restate(stage, fromHour: fromHour, at: position)
      try writer.commit(position)
      return aside
    } catch {
      writer.rollback()
      if error.kind == .interrupted { forgetPosition() }
      throw error
    }
  }

  /// Restates what is due at the position that the database has; where the journal goes on, or has ended.
  func restateDue() throws {
    guard let due = due.first else { return }
    guard let source = restateSource else {
      throw StoreError(.system, "there is no journal to restate meters from")
    }
    let counter = try RestateCounter(
      path: source.path, due.changes, fromHour: due.fromHour, latenessLimitDays: latenessLimitDays)
    defer { try? RestateStage.remove(source.path) }
    try source.read(counter, due.position)
    guard counter.position >= due.position else {
      throw RollupError.gap(expected: due.position, found: counter.position)
    }
    try counter.stage.finish()
    try restate(counter.stage, fromHour: due.fromHour, at: due.position)
    removeFirstDue()
  }

  /// Restates what is due where the journal has ended.
  func restateAtEnd() throws {
    while let due = due.first, due.isHere(position) { try restateDue() }
  }
}
