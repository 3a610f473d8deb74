/// Base64 as JSON formats write it (RFC 4648 section 4): with the standard alphabet and padding. Read with either
/// alphabet, with padding or without.
package enum Base64 {
  package static func text(_ bytes: some Sequence<UInt8>) -> String {
    var text = Base64URL.text(bytes).utf8.map { byte in
      switch byte {
      case UInt8(ascii: "-"): UInt8(ascii: "+")
      case UInt8(ascii: "_"): UInt8(ascii: "/")
      default: byte
      }
    }
    while text.count % 4 != 0 { text.append(UInt8(ascii: "=")) }
    return String(decoding: text, as: UTF8.self)
  }

  /// Nil where the text is not base64 of any bytes.
  package static func bytes(_ text: String) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count / 4 * 3 + 3)
    var bits: UInt32 = 0
    var (bitCount, count, padding) = (0, 0, 0)
    for character in text.utf8 {
      count += 1
      guard character != UInt8(ascii: "=") else {
        padding += 1
        continue
      }
      guard padding == 0, let value = value(character) else { return nil }
      bits = bits << 6 | UInt32(value)
      bitCount += 6
      if bitCount >= 8 {
        bitCount -= 8
        bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(bitCount)))
      }
    }
    guard bitCount < 6, bits & (1 << UInt32(bitCount) - 1) == 0,
      padding == 0 || (padding <= 2 && count % 4 == 0)
    else { return nil }
    return bytes
  }

  private static func value(_ character: UInt8) -> UInt8? {
    switch character {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): character - UInt8(ascii: "A")
    case UInt8(ascii: "a")...UInt8(ascii: "z"): character - UInt8(ascii: "a") + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0") + 52
    case UInt8(ascii: "+"), UInt8(ascii: "-"): 62
    case UInt8(ascii: "/"), UInt8(ascii: "_"): 63
    default: nil
    }
  }
}
