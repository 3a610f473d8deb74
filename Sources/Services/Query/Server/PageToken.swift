internal import Crypto
internal import StackmeterCore
internal import StackmeterStore
internal import StackmeterWire

/// Makes and reads page tokens: where the next page begins, bound to the caller and the question, and proved by
/// a key, so that a token shows nothing and opens nothing for anyone else.
///
/// URL-safe base64 without padding of: version 2, four 64-bit numbers of the cursor, and the first 16 bytes of
/// HMAC-SHA256 over these and the question.
struct PageTokens {
  private static let version: UInt8 = 2
  private static let cursorBytes = 33
  private static let proofBytes = 16

  private let key: SymmetricKey

  init(key: [UInt8]) {
    self.key = SymmetricKey(data: key)
  }

  func token(for cursor: UsageCursor, of request: ListUsageRequest) -> String {
    var bytes: [UInt8] = [PageTokens.version]
    for number in [cursor.window, cursor.cell, cursor.series, cursor.usage] {
      withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }
    return Base64URL.text(bytes + proof(bytes, request))
  }

  /// Nil where the token is not one that was given to this caller for this question.
  func cursor(_ token: String, of request: ListUsageRequest) -> UsageCursor? {
    guard let bytes = Base64URL.bytes(token),
      bytes.count == PageTokens.cursorBytes + PageTokens.proofBytes,
      bytes[0] == PageTokens.version
    else { return nil }
    let expected = proof(Array(bytes[..<PageTokens.cursorBytes]), request)
    let difference = zip(expected, bytes[PageTokens.cursorBytes...]).reduce(0) {
      $0 | ($1.0 ^ $1.1)
    }
    guard difference == 0 else { return nil }
    func number(_ index: Int) -> Int64 {
      bytes.withUnsafeBytes {
        Int64(littleEndian: $0.loadUnaligned(fromByteOffset: 1 + index * 8, as: Int64.self))
      }
    }
    return UsageCursor(window: number(0), cell: number(1), series: number(2), usage: number(3))
  }

  private func proof(_ cursor: [UInt8], _ request: ListUsageRequest) -> [UInt8] {
    var question = request
    question.pageToken = ""
    // A caller may ask for smaller pages on the way.
    question.pageSize = 0
    var authentication = HMAC<SHA256>(key: key)
    authentication.update(data: cursor)
    authentication.update(data: question.packed())
    return Array(authentication.finalize().prefix(PageTokens.proofBytes))
  }
}
