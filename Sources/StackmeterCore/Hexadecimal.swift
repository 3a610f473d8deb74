/// The bytes in lower-case hexadecimal digits.
package func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
  // Whatever sequence it is, the loop is over an array.
  let bytes = Array(bytes)
  return String(unsafeUninitializedCapacity: bytes.count * 2) { text in
    var place = 0
    for byte in bytes {
      text[place] = hexadecimalDigit(byte >> 4)
      text[place + 1] = hexadecimalDigit(byte & 15)
      place += 2
    }
    return place
  }
}

/// Appends the bytes in lower-case hexadecimal digits.
package func appendHexadecimal(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) {
  withUnsafeTemporaryAllocation(of: UInt8.self, capacity: bytes.count * 2) { text in
    var place = 0
    for byte in bytes {
      text[place] = hexadecimalDigit(byte >> 4)
      text[place + 1] = hexadecimalDigit(byte & 15)
      place += 2
    }
    output.append(contentsOf: text)
  }
}

private func hexadecimalDigit(_ value: UInt8) -> UInt8 {
  value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
}
