internal import Crypto
internal import StackmeterCore

/// A line of the audit log: an object whose last member is the hash of what stands in front of it and of the hash of
/// the line before. So no line can be changed, taken away or moved without a trace in it or in the next one.
struct AuditLine: Hashable {
  static let hashBytes = 32
  /// In front of the first line.
  static let noHash = [UInt8](repeating: 0, count: hashBytes)

  let sequence: UInt64
  /// The object without its last member.
  let content: [UInt8]
  let hash: [UInt8]

  init(content: [UInt8], sequence: UInt64, after previous: [UInt8]) {
    self.content = content
    self.sequence = sequence
    hash = AuditLine.hash(content, after: previous)
  }

  /// With its newline.
  var bytes: [UInt8] {
    content.dropLast() + Array(",\"hash\":\"\(hexadecimal(hash))\"}\n".utf8)
  }

  /// Takes a line apart, without its newline; nil where it has not the form of one.
  init?(_ line: some Collection<UInt8>) {
    let line = Array(line)
    let mark = Array(",\"hash\":\"".utf8)
    let suffixCount = mark.count + 2 * AuditLine.hashBytes + 2
    let start = Array("{\"sequence\":".utf8)
    guard line.count > suffixCount + start.count, line.starts(with: start) else { return nil }
    let suffix = line.suffix(suffixCount)
    let digits = String(decoding: suffix.dropFirst(mark.count).dropLast(2), as: UTF8.self)
    guard suffix.starts(with: mark), suffix.suffix(2).elementsEqual("\"}".utf8),
      let hash = bytesOfHexadecimal(digits), hexadecimal(hash) == digits
    else { return nil }
    let number = line.dropFirst(start.count).prefix { (0x30...0x39).contains($0) }
    guard let sequence = UInt64(String(decoding: number, as: UTF8.self)) else { return nil }
    content = line.dropLast(suffixCount) + [UInt8(ascii: "}")]
    self.sequence = sequence
    self.hash = hash
  }

  /// Whether the hash is that of the content, behind a line of this hash.
  func follows(_ previous: [UInt8]) -> Bool {
    hash == AuditLine.hash(content, after: previous)
  }

  private static func hash(_ content: [UInt8], after previous: [UInt8]) -> [UInt8] {
    var hasher = SHA256()
    hasher.update(data: previous)
    hasher.update(data: content)
    return Array(hasher.finalize())
  }
}

/// What the log's directory says of its lines beside them, so that lines that are missing at either end are noticed.
struct AuditHead: Hashable {
  var first: UInt64
  var last: UInt64
  /// Of the last line.
  var hash: [UInt8]

  var bytes: [UInt8] { Array("\(first) \(last) \(hexadecimal(hash))\n".utf8) }

  init(first: UInt64, last: UInt64, hash: [UInt8]) {
    self.first = first
    self.last = last
    self.hash = hash
  }

  init?(_ bytes: [UInt8]) {
    let parts = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
    guard parts.count == 3, let first = UInt64(parts[0]), let last = UInt64(parts[1]),
      let hash = bytesOfHexadecimal(String(parts[2])), hash.count == AuditLine.hashBytes
    else { return nil }
    self.init(first: first, last: last, hash: hash)
  }
}
