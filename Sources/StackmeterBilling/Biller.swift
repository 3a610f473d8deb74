package import StackmeterCore
package import StackmeterRating
package import StackmeterStore

/// Makes statements of what a usage database has.
///
/// It asks for sums by meter, location and day, so that its memory does not depend on how much was used: what a period
/// costs is a function of these. Those of many subscriptions are asked for together.
package struct Biller: Sendable {
  package let cards: RateCards
  /// What the directory says of the subscriptions.
  package let subscriptions: [Subscription]
  package let period: BillingPeriod

  package init(
    _ cards: RateCards, subscriptions: [Subscription], period: BillingPeriod
  ) throws(BillingProblem) {
    guard !cards.book.indices(in: period).isEmpty else {
      throw .noCard(name: cards.book.name, period: period)
    }
    self.cards = cards
    self.subscriptions = subscriptions
    self.period = period
  }

  package init(
    _ cards: RateCards, subscription: Subscription, period: BillingPeriod
  ) throws(BillingProblem) {
    try self.init(cards, subscriptions: [subscription], period: period)
  }

  /// The draft of the statement as of now, where there is one subscription. In a snapshot of the reader.
  ///
  /// - Parameters:
  ///   - closedOnly: Without what the open window has, which may still change.
  ///   - openWindow: What was closed when a walk began; nil for now.
  package func draft(
    _ reader: any UsageReader, closedOnly: Bool, openWindow: Hour? = nil
  ) throws(BillingProblem) -> StatementDraft {
    let drafts: [Result<StatementDraft, BillingProblem>]
    do throws(StoreError) {
      drafts = try self.drafts(reader, closedOnly: closedOnly, openWindow: openWindow)
    } catch { throw .store(error) }
    return try drafts[0].get()
  }

  /// The drafts of the statements as of now, in the order of the subscriptions. In a snapshot of the reader.
  package func drafts(
    _ reader: any UsageReader, closedOnly: Bool, openWindow: Hour? = nil
  ) throws(StoreError) -> [Result<StatementDraft, BillingProblem>] {
    let histories = try subscriptions.map { (subscription) throws(StoreError) in
      try StatementHistory(reader, subscription.id, cards, period, openWindow: openWindow)
    }
    let usage = try usage(histories, reader, closedOnly: closedOnly)
    let rater = Rater(cards.book, subscriptions: subscriptions)
    return try subscriptions.indices.map { (index) throws(StoreError) in
      let id = subscriptions[index].id
      let postings = try reader.postings(of: id, usedBefore: nil)
      do throws(BillingProblem) {
        return .success(try draft(id, usage[index], histories[index], postings, rater))
      } catch { return .failure(error) }
    }
  }

  /// What sums are asked for.
  private struct Question: Hashable {
    let windows: Range<Hour>
    let hours: Range<Hour>
    let isProvisional: Bool
  }

  /// The usage of each subscription. Most have the same questions.
  private func usage(
    _ histories: [StatementHistory], _ reader: any UsageReader, closedOnly: Bool
  ) throws(StoreError) -> [[UsageAggregate]] {
    var asking: [Question: [Int]] = [:]
    for (index, history) in histories.enumerated() {
      let open = history.openWindow
      for (windows, hours) in [
        (history.ownWindows, period.hours), (history.lateWindows, history.lateHours),
      ] {
        let closed = Question(
          windows: windows.clamped(to: Hour.min..<open), hours: hours, isProvisional: false)
        asking[closed, default: []].append(index)
        guard !closedOnly else { continue }
        let provisional = Question(
          windows: windows.clamped(to: open..<Hour.max), hours: hours, isProvisional: true)
        asking[provisional, default: []].append(index)
      }
    }
    var usage = [[UsageAggregate]](repeating: [], count: histories.count)
    for (question, indices) in asking {
      let sums = try reader.sums(
        of: indices.map { subscriptions[$0].id }, question.windows, question.hours,
        isProvisional: question.isProvisional)
      for (index, sums) in zip(indices, sums) { usage[index] += sums }
    }
    return usage
  }

  private func draft(
    _ id: String, _ usage: [UsageAggregate], _ history: StatementHistory,
    _ postings: [(posting: Posting, used: [PostingUse])], _ rater: Rater
  ) throws(BillingProblem) -> StatementDraft {
    var builder = StatementBuilder(rater, subscription: id, period: period)
    var rated = history.rated
    var failure: StatementError?
    do throws(RatingError) {
      try rater.rate(
        usage, carried: &rated, settled: history.isEnded ? period : history.last,
        closed: history.last
      ) { charge in
        guard failure == nil else { return }
        do throws(StatementError) { try builder.add(charge) } catch { failure = error }
      }
    } catch { throw .rating(error) }
    do throws(StatementError) {
      if let failure { throw failure }
      var (statement, commitments) = try builder.draft(
        commitments: history.commitments, settles: history.isEnded)
      let uses = try postings.isEmpty ? [] : statement.take(postings)
      return StatementDraft(
        statement: statement, history: history,
        states: history.changes(rated, commitments), uses: uses)
    } catch { throw .statement(error) }
  }
}

/// A statement that is not closed, and what goes with it when it is.
package struct StatementDraft: Sendable {
  package let statement: Statement
  package let history: StatementHistory
  package let states: [RatedState]
  package let uses: [PostingUse]

  /// Nothing is on it: who has used nothing, and owes nothing, gets no statement.
  package var isEmpty: Bool { statement.lines.isEmpty && statement.unrated.isEmpty }
}

extension UsageReader {
  /// Sums of each subscription as the rater takes them: aggregates without a resource.
  func sums(
    of subscriptions: [String], _ windows: Range<Hour>, _ hours: Range<Hour>, isProvisional: Bool
  ) throws(StoreError) -> [[UsageAggregate]] {
    guard !windows.isEmpty, !hours.isEmpty else {
      return Array(repeating: [], count: subscriptions.count)
    }
    let found = try locatedUsage(of: subscriptions, windows: windows, hours: hours)
    return zip(subscriptions, found).map { subscription, sums in
      // Days of one meter and place are neighbours, and share a series.
      var series: Series?
      return sums.map { sum in
        let known = series.flatMap {
          $0.meter.hasSameBytes(as: sum.meter)
            && $0.resource.location.hasSameBytes(as: sum.location) ? $0 : nil
        }
        let of =
          known
          ?? Series(
            subscription: subscription, meter: sum.meter,
            resource: Resource(uri: "", location: sum.location))
        series = of
        return UsageAggregate(
          series: of, usageStart: sum.day.start, usageEnd: sum.day.end, quantity: sum.quantity,
          window: windows.lowerBound, isProvisional: isProvisional)
      }
    }
  }

  /// The same of one.
  func sums(
    of subscription: String, _ windows: Range<Hour>, _ hours: Range<Hour>, isProvisional: Bool
  ) throws(StoreError) -> [UsageAggregate] {
    try sums(of: [subscription], windows, hours, isProvisional: isProvisional)[0]
  }
}

extension BillingPeriod {
  package var hours: Range<Hour> { start.firstHour..<end.firstHour }
}

extension Hour {
  static let min = Hour(index: 0)
  /// Behind all windows that there will be.
  static let max = Hour(index: 50_000_000)
}

extension Statement {
  /// Takes up what was written down for the subscription, and says how much of it.
  fileprivate mutating func take(
    _ postings: [(posting: Posting, used: [PostingUse])]
  ) throws(StatementError) -> [PostingUse] {
    var uses: [PostingUse] = []
    var credits: [Credit] = []
    var numbers: [String: Int64] = [:]
    // Shares of costs stand before what an operator writes by hand.
    let ordered =
      postings.filter { $0.posting.kind == .shared }
      + postings.filter { $0.posting.kind != .shared }
    for (posting, used) in ordered where posting.currency == currency.code {
      guard posting.granted < period.end, let amount = Money(amount: posting.amount, currency)
      else { continue }
      switch posting.kind {
      case .adjustment, .shared:
        guard used.isEmpty else { continue }
        if posting.kind == .shared {
          try share(amount, text: posting.reason)
        } else {
          try adjust(by: amount, reason: posting.reason)
        }
        uses.append(PostingUse(posting: posting.id, amount: posting.amount))
      case .credit:
        let spent = used.compactMap { Money(amount: $0.amount, currency) }
          .reduce(Int128(0)) { $0 + $1.minorUnits }
        let balance = Money(amount.minorUnits - spent, currency)
        guard !balance.isNegative, !balance.isZero else { continue }
        // Credits of one day are used in the order of their numbers.
        let digits = String(posting.id)
        let id = String(repeating: "0", count: max(0, 19 - digits.utf8.count)) + digits
        numbers[id] = posting.id
        credits.append(
          Credit(
            id: id, description: posting.reason, granted: posting.granted,
            expires: posting.expires, balance: balance))
      }
    }
    let left = try use(credits)
    for (before, after) in zip(credits, left) where before.balance != after.balance {
      let used = Money(before.balance.minorUnits - after.balance.minorUnits, currency)
      uses.append(PostingUse(posting: numbers[before.id] ?? 0, amount: used.amountText))
    }
    return uses.sorted { $0.posting < $1.posting }
  }
}

extension Money {
  fileprivate init?(amount text: String, _ currency: Currency) {
    guard let money = try? Money(parsing: text, currency) else { return nil }
    self = money
  }
}
