internal import StackmeterCore
internal import StackmeterWire

/// Where the next part of a FOCUS file begins, and what was known when the first one was asked for.
struct FocusWalk: Equatable {
  /// The last subscription of the parts before.
  var subscription: String
  /// How many of its charges they have; nil where they have all of it.
  var offset: Int64?
  /// Its statement was closed.
  var isClosed = false
  /// The windows before it were closed.
  var openWindow: Hour
  var rows: UInt64
}

/// Makes and reads the page tokens of FOCUS files, see `TokenProof`: version 1, three 64-bit numbers, a byte, and the
/// id of a subscription.
struct FocusTokens {
  private static let version: UInt8 = 1
  private static let headBytes = 26

  private let proof: TokenProof

  init(key: [UInt8]) {
    proof = TokenProof(key: key)
  }

  func token(for walk: FocusWalk, of request: ExportFocusRequest) -> String {
    var content = [FocusTokens.version]
    for number in [walk.offset ?? -1, walk.openWindow.index, Int64(bitPattern: walk.rows)] {
      content.append(number: number)
    }
    content.append(walk.isClosed ? 1 : 0)
    return proof.token(content + walk.subscription.utf8, of: question(request))
  }

  /// Nil where the token is not one that was given to this caller for this question.
  func walk(_ token: String, of request: ExportFocusRequest) -> FocusWalk? {
    guard
      let content = proof.content(
        token, version: FocusTokens.version, leastBytes: FocusTokens.headBytes,
        of: question(request))
    else { return nil }
    let offset: Int64 = content.number(at: 1)
    return FocusWalk(
      subscription: String(decoding: content[FocusTokens.headBytes...], as: UTF8.self),
      offset: offset < 0 ? nil : offset, isClosed: content[25] == 1,
      openWindow: Hour(index: content.number(at: 9)),
      rows: UInt64(bitPattern: content.number(at: 17)))
  }

  private func question(_ request: ExportFocusRequest) -> ExportFocusRequest {
    var question = request
    question.pageToken = ""
    return question
  }
}
