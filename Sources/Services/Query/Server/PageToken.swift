internal import Crypto
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

/// Makes and reads page tokens: where a walk goes on, bound to the caller and the question, and proved by a key, so
/// that a token shows nothing and opens nothing for anyone else.
///
/// URL-safe base64 without padding of: version 3, the four 64-bit numbers of the cursor, three of what was known when
/// the walk began, and the first 16 bytes of HMAC-SHA256 over these and the question.
struct PageTokens {
  private static let version: UInt8 = 3
  private static let walkBytes = 57
  private static let proofBytes = 16

  private let key: SymmetricKey

  init(key: [UInt8]) {
    self.key = SymmetricKey(data: key)
  }

  func token(for walk: UsageWalk, of request: ListUsageRequest) -> String {
    var bytes: [UInt8] = [PageTokens.version]
    let cursor = walk.cursor
    for number in [
      cursor.window, cursor.cell, cursor.series, cursor.usage, walk.openWindow.index,
      walk.finalBefore.nanoseconds, walk.end.index,
    ] {
      withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }
    return Base64URL.text(bytes + proof(bytes, request))
  }

  /// Nil where the token is not one that was given to this caller for this question.
  func walk(_ token: String, of request: ListUsageRequest) -> UsageWalk? {
    guard let bytes = Base64URL.bytes(token),
      bytes.count == PageTokens.walkBytes + PageTokens.proofBytes,
      bytes[0] == PageTokens.version
    else { return nil }
    let expected = proof(Array(bytes[..<PageTokens.walkBytes]), request)
    let difference = zip(expected, bytes[PageTokens.walkBytes...]).reduce(0) { $0 | ($1.0 ^ $1.1) }
    guard difference == 0 else { return nil }
    func number(_ index: Int) -> Int64 {
      bytes.withUnsafeBytes {
        Int64(littleEndian: $0.loadUnaligned(fromByteOffset: 1 + index * 8, as: Int64.self))
      }
    }
    return UsageWalk(
      cursor: UsageCursor(
        window: number(0), cell: number(1), series: number(2), usage: number(3)),
      openWindow: Hour(index: number(4)), finalBefore: Instant(nanoseconds: number(5)),
      end: Hour(index: number(6)))
  }

  private func proof(_ walk: [UInt8], _ request: ListUsageRequest) -> [UInt8] {
    var question = request
    question.pageToken = ""
    // A caller may ask for smaller pages on the way.
    question.pageSize = 0
    var authentication = HMAC<SHA256>(key: key)
    authentication.update(data: walk)
    authentication.update(data: question.packed())
    return Array(authentication.finalize().prefix(PageTokens.proofBytes))
  }
}
