package import StackmeterCore
package import StackmeterRating
package import StackmeterStore

/// Prices a billing period twice: by the card that is in force, and by a draft as if it had held for the whole period.
/// Nothing is written.
///
/// Both see the same usage: all that was reported of the period by now. What statements add to that (adjustments of
/// earlier periods, credits) is the same by any card, and left out.
package struct CardTrial {
  package let period: BillingPeriod
  /// All windows of the period are closed.
  package let isEnded: Bool
  package let currency: Currency
  /// Nil where no version holds in the period: then all of it is new.
  private let current: Rater?
  private let tried: Rater
  private let subscriptions: [Subscription]

  /// - Parameter subscriptions: Those that are priced, as the directory has them now.
  package init(
    _ draft: RateCard, against cards: RateCards?, period: BillingPeriod,
    subscriptions: [Subscription], _ reader: any UsageReader
  ) throws(BillingProblem) {
    self.period = period
    self.subscriptions = subscriptions
    currency = draft.currency
    do throws(RateBookError) {
      let book = try RateBook([draft.holding(from: period.start)])
      tried = Rater(book, subscriptions: subscriptions)
    } catch { preconditionFailure("one version is a card: \(error)") }
    let holds = cards.map { !$0.book.indices(in: period).isEmpty } ?? false
    current = holds ? cards.map { Rater($0.book, subscriptions: subscriptions) } : nil
    do throws(StoreError) { isEnded = try reader.openWindow() >= period.end.firstHour } catch {
      throw .store(error)
    }
  }

  /// Visits each subscription that has used something, in their order, until `body` says that it is enough; which one
  /// was the last, where it did.
  package func visit(
    _ reader: any UsageReader, _ body: (PriceDifference) -> Bool
  ) throws(BillingProblem) -> Subscription? {
    let windows = period.firstWindow..<Hour.max
    var rest = subscriptions[...]
    while !rest.isEmpty {
      let some = rest.prefix(CardTrial.subscriptionsAtOnce)
      rest = rest.dropFirst(some.count)
      let sums: [[UsageAggregate]]
      do throws(StoreError) {
        sums = try reader.snapshot { (reader) throws(StoreError) in
          try reader.sums(of: some.map(\.id), windows, period.hours, isProvisional: !isEnded)
        }
      } catch { throw .store(error) }
      for (subscription, usage) in zip(some, sums) where !usage.isEmpty {
        let difference = PriceDifference(
          subscription, currency,
          current: try current.map { (rater) throws(BillingProblem) in
            try statement(usage, of: subscription, rater)
          }, tried: try statement(usage, of: subscription, tried))
        if !body(difference) { return subscription }
      }
    }
    return nil
  }

  /// Whose usage is summed up together: `body` may say at any of them that it is enough.
  private static let subscriptionsAtOnce = 100

  private func statement(
    _ usage: [UsageAggregate], of subscription: Subscription, _ rater: Rater
  ) throws(BillingProblem) -> Statement {
    var builder = StatementBuilder(rater, subscription: subscription.id, period: period)
    var state = RatingState()
    var failure: StatementError?
    do throws(RatingError) {
      try rater.rate(usage, carried: &state, settled: isEnded ? period : nil, closed: nil) {
        guard failure == nil else { return }
        do throws(StatementError) { try builder.add($0) } catch { failure = error }
      }
    } catch { throw .rating(error) }
    do throws(StatementError) {
      if let failure { throw failure }
      return try builder.draft(settles: isEnded).statement
    } catch { throw .statement(error) }
  }
}

/// What a subscription owes by one card, and what by another.
package struct PriceDifference: Sendable {
  /// All lines of one meter, or what a commitment does.
  package struct Line: Sendable {
    /// Empty for what is of no meter.
    package let meter: String
    package let title: String
    package fileprivate(set) var current: Money
    package fileprivate(set) var tried: Money
    /// There is usage that the card does not price.
    package fileprivate(set) var isCurrentUnrated = false
    package fileprivate(set) var isTriedUnrated = false

    package var isChange: Bool { current != tried || isCurrentUnrated != isTriedUnrated }
  }

  package let subscription: Subscription
  package let current: Money
  package let tried: Money
  /// By meter, then what is of none.
  package let lines: [Line]

  fileprivate init(
    _ subscription: Subscription, _ currency: Currency, current: Statement?, tried: Statement
  ) {
    self.subscription = subscription
    let zero = Money.zero(currency)
    self.current = current?.total ?? zero
    self.tried = tried.total ?? zero
    var lines: [ExactText: Line] = [:]
    func change(
      _ meter: String, _ title: String, _ body: (inout Line) -> Void
    ) {
      let key = ExactText(meter.isEmpty ? " \(title)" : meter.asciiLowercased)
      var line = lines[key] ?? Line(meter: meter, title: title, current: zero, tried: zero)
      body(&line)
      lines[key] = line
    }
    for line in tried.lines {
      change(line.meter, line.trialTitle) { $0.tried = $0.tried.plus(line.amount) }
    }
    for unrated in tried.unrated {
      change(unrated.meter, unrated.meter) { $0.isTriedUnrated = true }
    }
    for line in current?.lines ?? [] {
      change(line.meter, line.trialTitle) { $0.current = $0.current.plus(line.amount) }
    }
    for unrated in current?.unrated ?? [] {
      change(unrated.meter, unrated.meter) { $0.isCurrentUnrated = true }
    }
    self.lines = lines.sorted { one, other in
      (one.value.meter.isEmpty ? 1 : 0, one.key.text) < (
        other.value.meter.isEmpty ? 1 : 0, other.key.text
      )
    }.map(\.value)
  }
}

extension StatementLine {
  /// What lines of one meter are called together.
  fileprivate var trialTitle: String {
    if let rate, !rate.meterName.isEmpty { return rate.meterName }
    if !meter.isEmpty { return meter }
    return kind == .commitmentUnused
      ? "commitment: the part that was not used" : "commitment: discount"
  }
}

extension Money {
  /// Lines of one statement, whose total fits.
  fileprivate func plus(_ other: Money) -> Money {
    Money(minorUnits &+ other.minorUnits, currency)
  }
}
