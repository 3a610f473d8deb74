internal import StackmeterCore
internal import StackmeterWire

/// Where the next page of an explanation begins, and what was fixed by the first one.
struct ExplainCursor: Equatable {
  /// The first position that no page had.
  var position: UInt64
  /// The first position that is not explained.
  var end: UInt64
  /// What the usage database had, in attos.
  var aggregate: Int128
  /// The sum of the parts so far.
  var explained: Int128
}

/// Makes and reads the page tokens of explanations, see `TokenProof`: version 2, two 64-bit and two 128-bit numbers.
struct ExplainTokens {
  private static let version: UInt8 = 2
  private static let byteCount = 49

  private let proof: TokenProof

  init(key: [UInt8]) {
    proof = TokenProof(key: key)
  }

  func token(for cursor: ExplainCursor, of request: ExplainRequest) -> String {
    var content = [ExplainTokens.version]
    for number in [cursor.position, cursor.end] { content.append(number: number) }
    for number in [cursor.aggregate, cursor.explained] { content.append(number: number) }
    return proof.token(content, of: question(request))
  }

  /// Nil where the token is not one that was given to this caller for this question.
  func cursor(_ token: String, of request: ExplainRequest) -> ExplainCursor? {
    guard
      let content = proof.content(
        token, version: ExplainTokens.version, byteCount: ExplainTokens.byteCount,
        of: question(request))
    else { return nil }
    return ExplainCursor(
      position: content.number(at: 1), end: content.number(at: 9),
      aggregate: content.number(at: 17), explained: content.number(at: 33))
  }

  private func question(_ request: ExplainRequest) -> ExplainRequest {
    var question = request
    question.pageToken = ""
    question.pageSize = 0
    return question
  }
}
