internal import StackmeterCore

/// The parameters of a request's URL, decoded as forms are: `+` is a space, `%41` is a byte.
struct QueryParameters {
  struct Item: Hashable {
    let name: String
    let value: String
    /// As it stands in the URL.
    let raw: Substring
  }

  let items: [Item]

  /// Names and values must be UTF-8 without control characters.
  init(parsing query: String) throws(HTTPProblem) {
    var items: [Item] = []
    for raw in query.split(separator: "&", omittingEmptySubsequences: true) {
      let equals = raw.firstIndex(of: "=")
      let rawValue = equals.map { raw[raw.index(after: $0)...] } ?? ""
      guard let name = percentDecoded(raw[..<(equals ?? raw.endIndex)], plusIsSpace: true) else {
        throw .invalid("query", "the name \"\(raw.prefix(64))\" is not percent-encoded UTF-8")
      }
      guard let value = percentDecoded(rawValue, plusIsSpace: true) else {
        throw .invalid(name, "the value is not percent-encoded UTF-8")
      }
      items.append(Item(name: name, value: value, raw: raw))
    }
    self.items = items
  }
}

/// Nil where a `%` is not followed by two digits, or the bytes are not UTF-8, or hold control characters.
func percentDecoded(_ text: Substring, plusIsSpace: Bool) -> String? {
  var bytes: [UInt8] = []
  var rest = Array(text.utf8)[...]
  while let byte = rest.popFirst() {
    switch byte {
    case UInt8(ascii: "%"):
      guard let high = rest.popFirst().flatMap(digitValue),
        let low = rest.popFirst().flatMap(digitValue)
      else { return nil }
      bytes.append(high << 4 | low)
    case UInt8(ascii: "+") where plusIsSpace: bytes.append(UInt8(ascii: " "))
    default: bytes.append(byte)
    }
  }
  guard !bytes.contains(where: { $0 < 0x20 || $0 == 0x7F }) else { return nil }
  return String(validating: bytes, as: UTF8.self)
}

private func digitValue(_ byte: UInt8) -> UInt8? {
  Character(Unicode.Scalar(byte)).hexDigitValue.map { UInt8($0) }
}

/// Everything but unreserved characters as `%41`. RFC 3986, section 2.3.
func percentEncoded(_ text: String) -> String {
  var encoded: [UInt8] = []
  for byte in text.utf8 {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
      UInt8(ascii: "."), UInt8(ascii: "~"):
      encoded.append(byte)
    default: encoded += Array("%\(hexadecimal([byte]))".utf8)
    }
  }
  return String(decoding: encoded, as: UTF8.self)
}
