internal import Crypto
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

/// Makes and reads the page tokens of charges, like `PageTokens`.
///
/// URL-safe base64 without padding of: version 1, two 64-bit numbers, a byte, and the first 16 bytes of HMAC-SHA256
/// over these and the question.
struct ChargeTokens {
  private static let version: UInt8 = 1
  private static let walkBytes = 18
  private static let proofBytes = 16

  private let key: SymmetricKey

  init(key: [UInt8]) {
    self.key = SymmetricKey(data: key)
  }

  func token(for walk: ChargeWalk, of request: ListChargesRequest) -> String {
    var bytes: [UInt8] = [ChargeTokens.version]
    for number in [walk.offset, walk.openWindow.index] {
      withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }
    bytes.append(walk.isClosed ? 1 : 0)
    return Base64URL.text(bytes + proof(bytes, request))
  }

  /// Nil where the token is not one that was given to this caller for this question.
  func walk(_ token: String, of request: ListChargesRequest) -> ChargeWalk? {
    guard let bytes = Base64URL.bytes(token),
      bytes.count == ChargeTokens.walkBytes + ChargeTokens.proofBytes,
      bytes[0] == ChargeTokens.version
    else { return nil }
    let expected = proof(Array(bytes[..<ChargeTokens.walkBytes]), request)
    let difference = zip(expected, bytes[ChargeTokens.walkBytes...]).reduce(0) {
      $0 | ($1.0 ^ $1.1)
    }
    guard difference == 0 else { return nil }
    func number(_ index: Int) -> Int64 {
      bytes.withUnsafeBytes {
        Int64(littleEndian: $0.loadUnaligned(fromByteOffset: 1 + index * 8, as: Int64.self))
      }
    }
    return ChargeWalk(
      offset: number(0), openWindow: Hour(index: number(1)), isClosed: bytes[17] == 1)
  }

  private func proof(_ walk: [UInt8], _ request: ListChargesRequest) -> [UInt8] {
    var question = request
    question.pageToken = ""
    // A caller may ask for smaller pages on the way.
    question.pageSize = 0
    var authentication = HMAC<SHA256>(key: key)
    authentication.update(data: walk)
    authentication.update(data: question.packed())
    return Array(authentication.finalize().prefix(ChargeTokens.proofBytes))
  }
}
