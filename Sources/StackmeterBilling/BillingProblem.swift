package import StackmeterRating
package import StackmeterStore

/// Why there is no statement, or no charge.
package enum BillingProblem: Error, Equatable, CustomStringConvertible {
  /// No version of the card holds in the period.
  case noCard(name: String, period: BillingPeriod)
  /// The period, or its last windows, are not over.
  case notEnded(period: BillingPeriod)
  /// Sources have not reported all of it.
  case estimated(period: BillingPeriod, missing: String)
  /// The period has its statement.
  case closed(number: String)
  /// A later one is closed already.
  case closedLater(number: String, period: BillingPeriod)
  /// An earlier period has usage and no statement.
  case earlierOpen(subscription: String, period: BillingPeriod)
  /// The document is larger than documents may be.
  case tooLong(subscription: String, bytes: Int)
  /// More subscriptions would bear one cost than may.
  case tooManyBearers(max: Int)
  case rating(RatingError)
  case statement(StatementError)
  case store(StoreError)

  package var description: String {
    switch self {
    case .noCard(let name, let period):
      "no version of the rate card \(name) holds in \(period): add one with stackmeter rates apply"
    case .notEnded(let period):
      "\(period) is not over, or its last reporting window is open: try again later"
    case .estimated(let period, let missing):
      "\(period) is estimated: it waits for \(missing), see stackmeter sources. Close it when they are complete past "
        + "its end, or all the same with --accept-estimated: what they report later is on the next statement"
    case .closed(let number): "the period is closed already, as statement \(number)"
    case .closedLater(let number, let period):
      "\(period) is closed already, as statement \(number): earlier periods are its adjustments"
    case .earlierOpen(let subscription, let period):
      "\(subscription) has usage in \(period), which has no statement: close that period first"
    case .tooLong(let subscription, let bytes):
      "the statement of \(subscription) would have \(bytes) bytes, and at most "
        + "\(BillingLimits.documentBytesMax) are taken"
    case .tooManyBearers(let max):
      "more subscriptions would bear the cost than are taken, which is \(max)"
    case .rating(let error): "\(error)"
    case .statement(let error): "\(error)"
    case .store(let error): "\(error)"
    }
  }
}
