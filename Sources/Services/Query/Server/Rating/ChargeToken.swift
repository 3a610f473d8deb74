internal import StackmeterCore
internal import StackmeterWire

/// Where the next page of charges begins, and what was known when the first one was asked for.
struct ChargeWalk: Equatable {
  /// Charges that earlier pages had, those that the caller may not see among them.
  let offset: Int64
  /// The windows before it were closed.
  let openWindow: Hour
  /// They are those of a closed statement.
  let isClosed: Bool
}

/// Makes and reads the page tokens of charges, see `TokenProof`: version 1, two 64-bit numbers and a byte.
struct ChargeTokens {
  private static let version: UInt8 = 1
  private static let byteCount = 18

  private let proof: TokenProof

  init(key: [UInt8]) {
    proof = TokenProof(key: key)
  }

  func token(for walk: ChargeWalk, of request: ListChargesRequest) -> String {
    var content = [ChargeTokens.version]
    for number in [walk.offset, walk.openWindow.index] { content.append(number: number) }
    content.append(walk.isClosed ? 1 : 0)
    return proof.token(content, of: question(request))
  }

  /// Nil where the token is not one that was given to this caller for this question.
  func walk(_ token: String, of request: ListChargesRequest) -> ChargeWalk? {
    guard
      let content = proof.content(
        token, version: ChargeTokens.version, byteCount: ChargeTokens.byteCount,
        of: question(request))
    else { return nil }
    return ChargeWalk(
      offset: content.number(at: 1), openWindow: Hour(index: content.number(at: 9)),
      isClosed: content[17] == 1)
  }

  /// A caller may ask for smaller pages on the way.
  private func question(_ request: ListChargesRequest) -> ListChargesRequest {
    var question = request
    question.pageToken = ""
    question.pageSize = 0
    return question
  }
}
