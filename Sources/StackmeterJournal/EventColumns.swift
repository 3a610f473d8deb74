package import StackmeterCore

/// The events of a batch record where they lie in its payload: what is read of them makes no text and no array for
/// each event.
///
/// The form is checked when it is made. Whether each event is one that the collector may have accepted, is not.
package struct EventColumns {
  package let count: Int
  private let payload: ArraySlice<UInt8>
  private let layout: Layout
  /// Where each series of the dictionary begins, and where the last one ends.
  private let seriesStarts: [Int]

  /// Where the columns begin.
  fileprivate struct Layout {
    var source = 0..<0
    var ids = 0
    var idEnds = 0
    var seriesIndices = 0
    var usageStarts = 0
    var usageEnds = 0
    var attos = 0
  }

  /// A series is six texts.
  private static let seriesTexts = 6

  /// Nil where the payload is not of this form.
  package init?(journalPayload payload: ArraySlice<UInt8>) {
    let parsed = payload.withUnsafeBytes { EventColumns.parse($0) }
    guard let (count, layout, seriesStarts) = parsed else { return nil }
    self.count = count
    self.payload = payload
    self.layout = layout
    self.seriesStarts = seriesStarts
  }

  private static func parse(
    _ bytes: UnsafeRawBufferPointer
  ) -> (count: Int, layout: Layout, seriesStarts: [Int])? {
    var cursor = Cursor(bytes: bytes)
    var layout = Layout()
    guard cursor.skipText() else { return nil }
    layout.source = 2..<cursor.offset
    guard let seriesCount = cursor.number(UInt32.self).map({ Int($0) }),
      seriesCount <= cursor.left / (2 * seriesTexts)
    else { return nil }
    var starts: [Int] = []
    starts.reserveCapacity(seriesCount + 1)
    for _ in 0..<seriesCount {
      starts.append(cursor.offset)
      for _ in 0..<seriesTexts { guard cursor.skipText() else { return nil } }
    }
    starts.append(cursor.offset)
    guard let count = cursor.number(UInt32.self).map({ Int($0) }),
      let idBytes = cursor.number(UInt32.self).map({ Int($0) })
    else { return nil }
    layout.ids = cursor.offset
    layout.idEnds = layout.ids + idBytes
    layout.seriesIndices = layout.idEnds + count * 4
    layout.usageStarts = layout.seriesIndices + count * 4
    layout.usageEnds = layout.usageStarts + count * 8
    layout.attos = layout.usageEnds + count * 8
    guard layout.attos + count * 16 == bytes.count else { return nil }
    var previous = 0
    for index in 0..<count {
      let end = Int(bytes.number(layout.idEnds + index * 4, UInt32.self))
      let series = Int(bytes.number(layout.seriesIndices + index * 4, UInt32.self))
      guard end >= previous, series < seriesCount else { return nil }
      previous = end
    }
    return previous == idBytes ? (count, layout, starts) : nil
  }

  /// Reads the bytes one after the other.
  private struct Cursor {
    let bytes: UnsafeRawBufferPointer
    var offset = 0

    var left: Int { bytes.count - offset }

    mutating func number<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) -> T? {
      guard left >= MemoryLayout<T>.size else { return nil }
      defer { offset += MemoryLayout<T>.size }
      return bytes.number(offset, T.self)
    }

    /// Passes a text and its length.
    mutating func skipText() -> Bool {
      guard let count = number(UInt16.self), left >= Int(count) else { return false }
      offset += Int(count)
      return true
    }
  }

  package var seriesCount: Int { seriesStarts.count - 1 }

  /// Lends the columns.
  package func withEvents<Answer>(_ body: (Events) -> Answer) -> Answer {
    payload.withUnsafeBytes { bytes in
      seriesStarts.withUnsafeBufferPointer {
        body(Events(bytes: bytes, layout: layout, seriesStarts: $0))
      }
    }
  }

  /// Valid as long as it is lent.
  package struct Events {
    fileprivate let bytes: UnsafeRawBufferPointer
    fileprivate let layout: Layout
    fileprivate let seriesStarts: UnsafeBufferPointer<Int>

    /// The source's text.
    package var source: UnsafeRawBufferPointer {
      UnsafeRawBufferPointer(rebasing: bytes[layout.source])
    }

    /// The bytes of one series of the dictionary, see `Series.init(journalBytes:)`.
    package func series(_ index: Int) -> UnsafeRawBufferPointer {
      UnsafeRawBufferPointer(rebasing: bytes[seriesStarts[index]..<seriesStarts[index + 1]])
    }

    package func id(_ index: Int) -> UnsafeRawBufferPointer {
      let start = index == 0 ? 0 : idEnd(index - 1)
      return UnsafeRawBufferPointer(
        rebasing: bytes[layout.ids + start..<layout.ids + idEnd(index)])
    }

    private func idEnd(_ index: Int) -> Int {
      Int(bytes.number(layout.idEnds + index * 4, UInt32.self))
    }

    package func seriesIndex(_ index: Int) -> Int {
      Int(bytes.number(layout.seriesIndices + index * 4, UInt32.self))
    }

    package func usageStart(_ index: Int) -> Int64 {
      bytes.number(layout.usageStarts + index * 8, Int64.self)
    }

    package func usageEnd(_ index: Int) -> Int64 {
      bytes.number(layout.usageEnds + index * 8, Int64.self)
    }

    package func attos(_ index: Int) -> Int128 {
      bytes.number(layout.attos + index * 16, Int128.self)
    }
  }
}

extension UnsafeRawBufferPointer {
  /// A little-endian number at any address.
  @inline(__always)
  fileprivate func number<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, _: T.Type) -> T {
    T(littleEndian: loadUnaligned(fromByteOffset: offset, as: T.self))
  }
}

extension Series {
  /// Reads six texts as a batch record has them; nil where the bytes are not these, or not UTF-8.
  package init?(journalBytes bytes: some Sequence<UInt8>) {
    var reader = ByteReader(Array(bytes)[...])
    guard let subscription = reader.text(), let meter = reader.text(), let uri = reader.text(),
      let location = reader.text(), let tags = reader.text(), let info = reader.text(),
      reader.isAtEnd
    else { return nil }
    self.init(
      subscription: subscription, meter: meter,
      resource: Resource(uri: uri, location: location, tags: tags, additionalInfo: info))
  }

  /// The bytes that a batch record has of it.
  package var journalBytes: [UInt8] {
    var writer = ByteWriter()
    forEachText { writer.text($0) }
    return writer.bytes
  }
}
