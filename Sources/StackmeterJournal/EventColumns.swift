package import StackmeterCore

/// The events of a batch record where they lie in its payload: what is read of them makes no text and no array for
/// each event.
///
/// The form is checked when it is made. Whether each event is one that the collector may have accepted, is not.
package struct EventColumns {
  package let count: Int
  private let payload: ArraySlice<UInt8>
  private let sourceRange: Range<Int>
  /// Where each series of the dictionary begins, and where the last one ends.
  private let seriesStarts: [Int]
  private let ids: Int
  private let idEnds: Int
  private let seriesIndices: Int
  private let usageStarts: Int
  private let usageEnds: Int
  private let attos: Int

  /// A series is six texts.
  private static let seriesTexts = 6

  /// Nil where the payload is not of this form.
  package init?(journalPayload payload: ArraySlice<UInt8>) {
    var reader = ByteReader(payload)
    let base = payload.startIndex
    guard reader.skipText(), let seriesCount = reader.number(UInt32.self) else { return nil }
    sourceRange = 2..<(reader.position - base - 4)
    var starts: [Int] = []
    starts.reserveCapacity(min(Int(seriesCount), reader.left) + 1)
    for _ in 0..<seriesCount {
      starts.append(reader.position - base)
      for _ in 0..<EventColumns.seriesTexts { guard reader.skipText() else { return nil } }
    }
    starts.append(reader.position - base)
    guard let count = reader.number(UInt32.self).map({ Int($0) }),
      let idBytes = reader.number(UInt32.self).map({ Int($0) })
    else { return nil }
    ids = reader.position - base
    idEnds = ids + idBytes
    seriesIndices = idEnds + count * 4
    usageStarts = seriesIndices + count * 4
    usageEnds = usageStarts + count * 8
    attos = usageEnds + count * 8
    guard attos + count * 16 == payload.count else { return nil }
    seriesStarts = starts
    self.count = count
    self.payload = payload
    let isInForm = withEvents { events in
      var previous = 0
      for index in 0..<count {
        let end = events.idEnd(index)
        guard end >= previous, events.seriesIndex(index) < seriesCount else { return false }
        previous = end
      }
      return previous == idBytes
    }
    guard isInForm else { return nil }
  }

  package var seriesCount: Int { seriesStarts.count - 1 }

  /// Lends the columns.
  package func withEvents<Answer>(_ body: (Events) -> Answer) -> Answer {
    payload.withUnsafeBytes { body(Events(columns: self, bytes: $0)) }
  }

  /// Valid as long as it is lent.
  package struct Events {
    fileprivate let columns: EventColumns
    fileprivate let bytes: UnsafeRawBufferPointer

    /// The source's text.
    package var source: UnsafeRawBufferPointer {
      UnsafeRawBufferPointer(rebasing: bytes[columns.sourceRange])
    }

    /// The bytes of one series of the dictionary, see `Series.init(journalBytes:)`.
    package func series(_ index: Int) -> UnsafeRawBufferPointer {
      UnsafeRawBufferPointer(
        rebasing: bytes[columns.seriesStarts[index]..<columns.seriesStarts[index + 1]])
    }

    package func id(_ index: Int) -> UnsafeRawBufferPointer {
      let start = index == 0 ? 0 : idEnd(index - 1)
      return UnsafeRawBufferPointer(
        rebasing: bytes[columns.ids + start..<columns.ids + idEnd(index)])
    }

    fileprivate func idEnd(_ index: Int) -> Int {
      Int(number(columns.idEnds + index * 4, UInt32.self))
    }

    package func seriesIndex(_ index: Int) -> Int {
      Int(number(columns.seriesIndices + index * 4, UInt32.self))
    }

    package func usageStart(_ index: Int) -> Int64 {
      number(columns.usageStarts + index * 8, Int64.self)
    }

    package func usageEnd(_ index: Int) -> Int64 {
      number(columns.usageEnds + index * 8, Int64.self)
    }

    package func attos(_ index: Int) -> Int128 {
      number(columns.attos + index * 16, Int128.self)
    }

    @inline(__always)
    private func number<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, _: T.Type) -> T {
      T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
    }
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
    writer.text(subscription)
    writer.text(meter)
    writer.text(resource.uri)
    writer.text(resource.location)
    writer.text(resource.tags)
    writer.text(resource.additionalInfo)
    return writer.bytes
  }
}
