internal import Crypto
internal import StackmeterCore
internal import StackmeterWire

/// What all page tokens have in common: whatever they carry is proved by a key and bound to the caller and the
/// question, so that a token shows nothing and opens nothing for anyone else.
///
/// A token is the URL-safe base64 without padding of its content, which begins with a byte that is its version, and of
/// the first 16 bytes of HMAC-SHA256 over the content and the question.
struct TokenProof {
  private static let bytes = 16

  private let key: SymmetricKey

  init(key: [UInt8]) {
    self.key = SymmetricKey(data: key)
  }

  /// `question` has nothing in it that may differ between the pages of a walk.
  func token(_ content: [UInt8], of question: some WireMessage) -> String {
    Base64URL.text(content + proof(content, question))
  }

  /// The content of a token; nil where it is not one that was given to this caller for this question.
  func content(
    _ token: String, version: UInt8, byteCount: Int, of question: some WireMessage
  ) -> [UInt8]? {
    let content = content(token, version: version, leastBytes: byteCount, of: question)
    return content?.count == byteCount ? content : nil
  }

  /// As above, of a content that ends with a text.
  func content(
    _ token: String, version: UInt8, leastBytes: Int, of question: some WireMessage
  ) -> [UInt8]? {
    guard let bytes = Base64URL.bytes(token), bytes.count >= leastBytes + TokenProof.bytes,
      bytes[0] == version
    else { return nil }
    let content = Array(bytes.dropLast(TokenProof.bytes))
    let difference = zip(proof(content, question), bytes[content.count...]).reduce(0) {
      $0 | ($1.0 ^ $1.1)
    }
    return difference == 0 ? content : nil
  }

  private func proof(_ content: [UInt8], _ question: some WireMessage) -> [UInt8] {
    var authentication = HMAC<SHA256>(key: key)
    authentication.update(data: content)
    authentication.update(data: question.packed())
    return Array(authentication.finalize().prefix(TokenProof.bytes))
  }
}

extension [UInt8] {
  /// Adds a number of a token's content, little-endian.
  mutating func append(number: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
  }

  /// A number of a token's content by the place of its first byte.
  func number<Number: FixedWidthInteger & BitwiseCopyable>(
    at offset: Int, _: Number.Type = Number.self
  ) -> Number {
    withUnsafeBytes {
      Number(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Number.self))
    }
  }
}
