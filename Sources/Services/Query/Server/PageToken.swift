internal import StackmeterCore
internal import StackmeterStore
internal import StackmeterWire

/// A walk through the pages of a question: where the next page begins, and what was known when the first one was
/// asked for.
///
/// Closed windows never change, so their rows are the same on whichever page. A window that was open then may have
/// grown, and may have been closed meanwhile; its rows stay provisional on every page of the walk, so that nobody takes
/// the part of it that the walk has met for all of it. Windows that open later are not in the walk.
struct UsageWalk: Equatable {
  var cursor: UsageCursor
  /// The windows before it were closed.
  let openWindow: Hour
  /// All usage before it was final, where its windows were closed.
  let finalBefore: Instant
  /// The walk ends in front of this window.
  let end: Hour

  init(cursor: UsageCursor, openWindow: Hour, finalBefore: Instant, end: Hour) {
    self.cursor = cursor
    self.openWindow = openWindow
    self.finalBefore = finalBefore
    self.end = end
  }

  /// One that begins. The clocks of other hosts, which report too, may be a little ahead of this one's.
  init(_ completeness: Completeness, openWindow: Hour, now: Hour) {
    self.init(
      cursor: UsageCursor(window: 0, series: 0, usage: 0), openWindow: openWindow,
      finalBefore: completeness.finalBefore, end: max(openWindow, now).next.next)
  }

  func going(on cursor: UsageCursor) -> UsageWalk {
    var walk = self
    walk.cursor = cursor
    return walk
  }

  /// A sum over all windows of the question, which the store marks by the last of them.
  func marked(sum aggregate: UsageAggregate) -> UsageAggregate {
    var marked = aggregate
    marked.isFinal = !marked.isProvisional && aggregate.usageEnd <= finalBefore
    return marked
  }

  /// The aggregate as the first page would have called it.
  func marked(
    _ aggregate: UsageAggregate, _ granularity: Granularity, _ axis: TimeAxis
  ) -> UsageAggregate {
    let window = aggregate.window.index
    let end =
      switch axis {
      case .reported: granularity.hours(ofPeriod: granularity.period(ofHour: window)).upperBound
      case .usage: window + 1
      }
    var marked = aggregate
    if end > openWindow.index { marked.isProvisional = true }
    marked.isFinal = !marked.isProvisional && aggregate.usageEnd <= finalBefore
    return marked
  }
}

/// Makes and reads the page tokens of usage, see `TokenProof`: version 3, the four 64-bit numbers of the cursor, and
/// three of what was known when the walk began.
struct PageTokens {
  private static let version: UInt8 = 3
  private static let byteCount = 57

  private let proof: TokenProof

  init(key: [UInt8]) {
    proof = TokenProof(key: key)
  }

  func token(for walk: UsageWalk, of request: ListUsageRequest) -> String {
    var content = [PageTokens.version]
    let cursor = walk.cursor
    for number in [
      cursor.window, cursor.cell, cursor.series, cursor.usage, walk.openWindow.index,
      walk.finalBefore.nanoseconds, walk.end.index,
    ] {
      content.append(number: number)
    }
    return proof.token(content, of: question(request))
  }

  /// Nil where the token is not one that was given to this caller for this question.
  func walk(_ token: String, of request: ListUsageRequest) -> UsageWalk? {
    guard
      let content = proof.content(
        token, version: PageTokens.version, byteCount: PageTokens.byteCount, of: question(request))
    else { return nil }
    func number(_ index: Int) -> Int64 { content.number(at: 1 + index * 8) }
    return UsageWalk(
      cursor: UsageCursor(
        window: number(0), cell: number(1), series: number(2), usage: number(3)),
      openWindow: Hour(index: number(4)), finalBefore: Instant(nanoseconds: number(5)),
      end: Hour(index: number(6)))
  }

  /// A caller may ask for smaller pages on the way.
  private func question(_ request: ListUsageRequest) -> ListUsageRequest {
    var question = request
    question.pageToken = ""
    question.pageSize = 0
    return question
  }
}
