internal import Crypto
internal import StackmeterCore
internal import StackmeterStore
internal import StackmeterWire

/// Where the next part of an export begins, and what was fixed by the first one.
struct ExportCursor: Equatable {
  var place: UsageCursor
  /// The windows of the whole file.
  var windows: Range<Hour>
  /// The records of usage so far.
  var rows: UInt64
}

/// Makes and reads the page tokens of exports, like `PageTokens`.
///
/// URL-safe base64 without padding of: version 3, seven 64-bit numbers, and the first 16 bytes of HMAC-SHA256 over
/// these and the question.
struct ExportTokens {
  private static let version: UInt8 = 3
  private static let numbers = 7
  private static let proofBytes = 16

  private let key: SymmetricKey

  init(key: [UInt8]) {
    self.key = SymmetricKey(data: key)
  }

  func token(for cursor: ExportCursor, of request: ExportUsageRequest) -> String {
    var bytes: [UInt8] = [ExportTokens.version]
    let place = cursor.place
    for number in [
      place.window, place.cell, place.series, place.usage, cursor.windows.lowerBound.index,
      cursor.windows.upperBound.index, Int64(bitPattern: cursor.rows),
    ] {
      withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }
    return Base64URL.text(bytes + proof(bytes, request))
  }

  /// Nil where the token is not one that was given to this caller for this question.
  func cursor(_ token: String, of request: ExportUsageRequest) -> ExportCursor? {
    let cursorBytes = 1 + ExportTokens.numbers * 8
    guard let bytes = Base64URL.bytes(token), bytes.count == cursorBytes + ExportTokens.proofBytes,
      bytes[0] == ExportTokens.version
    else { return nil }
    let expected = proof(Array(bytes[..<cursorBytes]), request)
    let difference = zip(expected, bytes[cursorBytes...]).reduce(0) { $0 | ($1.0 ^ $1.1) }
    guard difference == 0 else { return nil }
    func number(_ index: Int) -> Int64 {
      bytes.withUnsafeBytes {
        Int64(littleEndian: $0.loadUnaligned(fromByteOffset: 1 + index * 8, as: Int64.self))
      }
    }
    guard number(4) <= number(5) else { return nil }
    return ExportCursor(
      place: UsageCursor(
        window: number(0), cell: number(1), series: number(2), usage: number(3)),
      windows: Hour(index: number(4))..<Hour(index: number(5)),
      rows: UInt64(bitPattern: number(6)))
  }

  private func proof(_ cursor: [UInt8], _ request: ExportUsageRequest) -> [UInt8] {
    var question = request
    question.pageToken = ""
    var authentication = HMAC<SHA256>(key: key)
    authentication.update(data: cursor)
    authentication.update(data: question.packed())
    return Array(authentication.finalize().prefix(ExportTokens.proofBytes))
  }
}
