import StackmeterCore

@testable import StackmeterRating

/// The pure core, with the little that storage would add: what was closed, what is carried, what is pending.
struct PureRatingSystem: RatingSystem {
  private var cards: [RateCard] = []
  private var subscriptions: [String: Subscription] = [:]
  private var pending: [UsageAggregate] = []
  private var used: [UsageAggregate] = []
  private var state = RatingState()
  private var commitments: [String: [BillingPeriod: CommitmentState]] = [:]
  private var credits: [String: [Credit]] = [:]
  private var adjustments: [(subscription: String, amount: Money, reason: String)] = []
  private var shares: [SharedCost] = []
  private var numbers = StatementNumbers()
  private var lastClosed: BillingPeriod?
  /// By period and subscription.
  private(set) var closed: [BillingPeriod: [String: (statement: Statement, charges: [Charge])]] =
    [:]
  private var rows = 0

  var currency: Currency {
    get throws { try RateBook(cards).currency }
  }

  private var rater: Rater {
    get throws {
      var writer = JSONWriter()
      writer.object { writer in
        writer.member(
          "subscriptions",
          array: { writer in
            for subscription in subscriptions.values.sorted(by: { $0.id < $1.id }) {
              writer.subscription(subscription)
            }
          })
      }
      return Rater(try RateBook(cards), try SubscriptionDirectory(json: writer.bytes))
    }
  }

  mutating func add(card: String) throws {
    let card = try RateCard(parsing: Array(card.utf8))
    _ = try RateBook(cards + [card])
    cards.append(card)
  }

  mutating func describe(_ subscription: Subscription) {
    subscriptions[subscription.id] = subscription
  }

  mutating func use(_ usage: ScriptUsage) {
    // Each row is reported in a window of its own, so that no two are one aggregate.
    rows += 1
    let row = UsageAggregate(
      series: Series(
        subscription: usage.subscription, meter: usage.meter,
        resource: Resource(uri: usage.resource, location: usage.location)),
      usageStart: usage.hour.start, usageEnd: usage.hour.end, quantity: usage.quantity,
      window: Hour(index: usage.hour.index + Int64(rows)), isProvisional: false)
    pending.append(row)
    used.append(row)
  }

  mutating func grant(_ credit: Credit, to subscription: String) {
    credits[subscription, default: []].append(credit)
  }

  mutating func adjust(_ subscription: String, by amount: String, reason: String) throws {
    adjustments.append((subscription, try Money(parsing: amount, currency), reason))
  }

  mutating func share(
    _ description: String, _ amount: String, by key: SharedCost.Key, payer: String?
  ) throws {
    shares.append(
      SharedCost(description, try Money(parsing: amount, currency), by: key, payer: payer))
  }

  /// The drafts of a period, by subscription, with the charges of each.
  private mutating func drafts(_ period: BillingPeriod, settles: Bool) throws
    -> [(statement: Statement, charges: [Charge])]
  {
    let rater = try rater
    let due = pending.filter { BillingPeriod(containing: $0.usageStart.hour.day) <= period }
    pending.removeAll { BillingPeriod(containing: $0.usageStart.hour.day) <= period }
    var charges: [String: [Charge]] = [:]
    try rater.rate(
      due, carried: &state, settled: settles ? period : lastClosed, closed: lastClosed
    ) { charges[$0.subscription, default: []].append($0) }
    var drafts: [(statement: Statement, charges: [Charge])] = []
    for id in Set(charges.keys).union(subscriptions.keys).sorted() {
      var builder = StatementBuilder(rater, subscription: id, period: period)
      for charge in charges[id] ?? [] { try builder.add(charge) }
      let draft = try builder.draft(commitments: commitments[id] ?? [:], settles: settles)
      commitments[id] = draft.commitments
      drafts.append((draft.statement, charges[id] ?? []))
    }
    return drafts
  }

  mutating func close(_ period: BillingPeriod) throws {
    let drafts = try drafts(period, settles: true)
    var statements = drafts.map(\.statement)
    let usage = used.filter { BillingPeriod(containing: $0.usageStart.hour.day) == period }
    for cost in shares {
      let bearers = statements.compactMap { statement -> SharedCost.Bearer? in
        guard let total = statement.total, !statement.lines.isEmpty else { return nil }
        let id = statement.subscription.id
        return SharedCost.Bearer(
          subscription: id, total: total,
          usage: usage.filter { $0.series.subscription == id && $0.series.meter == cost.meter }
            .reduce(.zero) { $0.adding($1.quantity)! })
      }
      for share in try cost.shares(of: bearers) {
        let index = statements.firstIndex { $0.subscription.id == share.subscription }!
        try statements[index].share(share.amount, text: share.text)
      }
    }
    shares = []
    var result: [String: (statement: Statement, charges: [Charge])] = [:]
    for (index, draft) in drafts.enumerated() {
      var statement = statements[index]
      let id = statement.subscription.id
      for adjustment in adjustments where adjustment.subscription == id {
        try statement.adjust(by: adjustment.amount, reason: adjustment.reason)
      }
      adjustments.removeAll { $0.subscription == id }
      credits[id] = try statement.use(credits[id] ?? [])
      if statement.lines.isEmpty && statement.unrated.isEmpty { continue }
      statement = try statement.closed(
        number: numbers.next(for: period), acceptsUnrated: true)
      try check(statement, draft.charges, usage.filter { $0.series.subscription == id })
      result[id] = (statement, draft.charges)
    }
    closed[period] = result
    lastClosed = max(period, lastClosed ?? period)
  }

  /// Every statement of every script must tie.
  private func check(_ statement: Statement, _ charges: [Charge], _ usage: [UsageAggregate]) throws
  {
    let used = usage.reduce(into: [String: Quantity]()) { used, row in
      used[row.series.meter] = (used[row.series.meter] ?? .zero).adding(row.quantity)
    }
    let reconciliation = Reconciliation(statement, usage: used, charged: charges.cost)
    guard reconciliation.holds else {
      throw ScriptFailure(line: 0, message: "does not tie: \(reconciliation)")
    }
    if let fault = try statement.documentFault() { throw ScriptFailure(line: 0, message: fault) }
    let file = try FocusFile(focusFile([(statement, charges)], catalog: MeterCatalog([])))
    let faults = FocusRules(file).faults
    guard faults.isEmpty else { throw ScriptFailure(line: 0, message: "\(faults)") }
    let sums = try file.sums(of: "BilledCost", by: "InvoiceId")
    guard sums == [statement.number: statement.total?.cost] else {
      throw ScriptFailure(line: 0, message: "the FOCUS file does not tie: \(sums)")
    }
  }

  mutating func statement(of subscription: String, _ period: BillingPeriod) throws -> [String] {
    if let closed = closed[period] {
      return closed[subscription]?.statement.description.split(separator: "\n").map(String.init)
        ?? []
    }
    // A draft changes nothing.
    var copy = self
    return try copy.drafts(period, settles: false)
      .first { $0.statement.subscription.id == subscription }?
      .statement.description.split(separator: "\n").map(String.init) ?? []
  }

  mutating func charges(of subscription: String, _ period: BillingPeriod) -> [String] {
    (closed[period]?[subscription]?.charges ?? []).map(\.scriptLine)
  }

  mutating func totals(of period: BillingPeriod, by grouping: StatementGrouping) throws
    -> [String]
  {
    try grouping.groups((closed[period] ?? [:]).values.map(\.statement)).map {
      "\($0.name ?? "none") \($0.total.amountText)"
    }
  }
}

extension Charge {
  /// `2026-11-03T10 calls tier 2 10 at 0.5 = 5`.
  var scriptLine: String {
    var words = [usage.map { String($0.usageStart.description.prefix(13)) } ?? "\(period)", meter]
    if kind != .usage { words.append(kind.rawValue) }
    if let rate, kind != .minimum {
      if tier == 0 { words.append("included") }
      if tier > 0 && rate.form != .flat { words.append("tier \(tier)") }
    }
    words.append("\(quantity)")
    if rate?.countsStarted == true { words.append("in \(pricedQuantity) packages") }
    return words.joined(separator: " ") + " at \(price) = \(cost)"
  }
}
