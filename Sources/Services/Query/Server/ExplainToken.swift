internal import Crypto
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

/// Makes and reads the page tokens of explanations, like `PageTokens`.
///
/// URL-safe base64 without padding of: version 2, two 64-bit and two 128-bit numbers, and the first 16 bytes of
/// HMAC-SHA256 over these and the question.
struct ExplainTokens {
  private static let version: UInt8 = 2
  private static let cursorBytes = 49
  private static let proofBytes = 16

  private let key: SymmetricKey

  init(key: [UInt8]) {
    self.key = SymmetricKey(data: key)
  }

  func token(for cursor: ExplainCursor, of request: ExplainRequest) -> String {
    var bytes: [UInt8] = [ExplainTokens.version]
    for number in [cursor.position, cursor.end] {
      withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }
    for number in [cursor.aggregate, cursor.explained] {
      withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }
    return Base64URL.text(bytes + proof(bytes, request))
  }

  /// Nil where the token is not one that was given to this caller for this question.
  func cursor(_ token: String, of request: ExplainRequest) -> ExplainCursor? {
    guard let bytes = Base64URL.bytes(token),
      bytes.count == ExplainTokens.cursorBytes + ExplainTokens.proofBytes,
      bytes[0] == ExplainTokens.version
    else { return nil }
    let expected = proof(Array(bytes[..<ExplainTokens.cursorBytes]), request)
    let difference = zip(expected, bytes[ExplainTokens.cursorBytes...]).reduce(0) {
      $0 | ($1.0 ^ $1.1)
    }
    guard difference == 0 else { return nil }
    func number<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, _: T.Type = T.self) -> T {
      bytes.withUnsafeBytes {
        T(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: T.self))
      }
    }
    return ExplainCursor(
      position: number(1), end: number(9), aggregate: number(17), explained: number(33))
  }

  private func proof(_ cursor: [UInt8], _ request: ExplainRequest) -> [UInt8] {
    var question = request
    question.pageToken = ""
    question.pageSize = 0
    var authentication = HMAC<SHA256>(key: key)
    authentication.update(data: cursor)
    authentication.update(data: question.packed())
    return Array(authentication.finalize().prefix(ExplainTokens.proofBytes))
  }
}
