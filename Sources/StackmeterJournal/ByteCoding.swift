/// Appends little-endian numbers and length-prefixed texts: the journal's byte format.
struct ByteWriter {
  var bytes: [UInt8] = []

  mutating func number(_ value: some FixedWidthInteger & BitwiseCopyable) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  /// A column of numbers, one after the other.
  mutating func column<T: FixedWidthInteger & BitwiseCopyable>(_ values: [T]) {
    #if _endian(little)
      values.withUnsafeBytes { bytes.append(contentsOf: $0) }
    #else
      for value in values { number(value) }
    #endif
  }

  /// At most 65,535 bytes: every text of an event has a lower limit.
  mutating func text(_ text: String) {
    number(UInt16(text.utf8.count))
    bytes.append(contentsOf: text.utf8)
  }
}

/// Reads what `ByteWriter` wrote. Every read past the end is nil; the bytes are never trusted.
struct ByteReader {
  let bytes: ArraySlice<UInt8>
  private(set) var position: Int

  init(_ bytes: ArraySlice<UInt8>) {
    self.bytes = bytes
    position = bytes.startIndex
  }

  var isAtEnd: Bool { position == bytes.endIndex }
  var left: Int { bytes.endIndex - position }

  mutating func number<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type = T.self) -> T? {
    let size = MemoryLayout<T>.size
    guard left >= size else { return nil }
    defer { position += size }
    return bytes.withUnsafeBytes {
      T(littleEndian: $0.loadUnaligned(fromByteOffset: position - bytes.startIndex, as: T.self))
    }
  }

  mutating func column<T: FixedWidthInteger & BitwiseCopyable>(
    _ count: Int, _ type: T.Type = T.self
  ) -> [T]? {
    let size = count * MemoryLayout<T>.size
    guard count >= 0, left >= size else { return nil }
    defer { position += size }
    return bytes.withUnsafeBytes { raw in
      [T](unsafeUninitializedCapacity: count) { buffer, filled in
        let start = position - bytes.startIndex
        UnsafeMutableRawBufferPointer(buffer).copyMemory(
          from: UnsafeRawBufferPointer(rebasing: raw[start..<start + size]))
        filled = count
      }
    }.map { T(littleEndian: $0) }
  }

  mutating func slice(_ count: Int) -> ArraySlice<UInt8>? {
    guard count >= 0, left >= count else { return nil }
    defer { position += count }
    return bytes[position..<position + count]
  }

  mutating func text() -> String? {
    guard let count = number(UInt16.self), let slice = slice(Int(count)) else { return nil }
    return String(validating: slice, as: UTF8.self)
  }

  /// Passes over a text without looking at it; false where the bytes end before it does.
  mutating func skipText() -> Bool {
    guard let count = number(UInt16.self) else { return false }
    return slice(Int(count)) != nil
  }
}
