internal import Glibc
internal import StackmeterCore

/// The sources and series that events named lately, by the words that name them: a series is read once, and found again
/// by these bytes in this body and in later ones.
struct SeriesWords: Sendable {
  /// Series and words are forgotten past these, all of them, before a body is read.
  static let wordsMax = 1 << 16
  static let bytesMax = 16 << 20
  /// Longer words are read each time.
  static let wordsBytesMax = 8 << 10
  /// Bodies are read by so many threads at once with words that are known; further ones begin with none.
  static let poolMax = 4

  typealias Pool = MemoryPool<SeriesWords>

  /// A series of a source, and its place in the dictionary of the batch that named it last.
  struct Known: Sendable {
    let source: Int
    let series: Series
    /// Of the number `nextBatch` gave; 0 for none.
    var batch: UInt64 = 0
    var place: UInt32 = 0
  }

  private struct SourcedSeries: Hashable {
    let source: Int
    let series: Series
  }

  private(set) var sources: [String] = []
  private var sourceNumbers: [ExactText: Int] = [:]
  private var known: [Known] = []
  private var numbers: [SourcedSeries: Int] = [:]
  private var words = ByteMemory<Int>()
  private var batches: UInt64 = 0

  /// How many words are known.
  var count: Int { words.count }

  /// Forgets everything where it is too much.
  mutating func trim() {
    guard
      known.count > SeriesWords.wordsMax || words.count > SeriesWords.wordsMax
        || words.byteCount > SeriesWords.bytesMax
    else { return }
    self = SeriesWords()
  }

  subscript(number: Int) -> Known {
    get { known[number] }
    _modify { yield &known[number] }
  }

  /// A number for a batch that is begun.
  mutating func nextBatch() -> UInt64 {
    batches += 1
    return batches
  }

  /// The number of the series that an event names; nil where its words must be read in full.
  mutating func number(
    _ parts: CloudEventSkim.SeriesParts, in text: UnsafeRawBufferPointer
  ) -> Int? {
    parts.withKey(in: text) { key in
      if let number = words.value(of: key) { return number }
      guard let (source, series) = parts.read(text.assumingMemoryBound(to: UInt8.self)) else {
        return nil
      }
      let number = number(of: source, series)
      if key.count <= SeriesWords.wordsBytesMax { words.remember(key, number) }
      return number
    }
  }

  /// The number of a series that was read in full. Its words, where they are given, need not be read again.
  mutating func number(
    of source: String, _ series: Series, _ parts: CloudEventSkim.SeriesParts?,
    in text: UnsafeRawBufferPointer
  ) -> Int {
    let number = number(of: source, series)
    parts?.withKey(in: text) { key in
      guard key.count <= SeriesWords.wordsBytesMax, words.value(of: key) == nil else { return }
      words.remember(key, number)
    }
    return number
  }

  private mutating func number(of source: String, _ series: Series) -> Int {
    let sourceNumber = sourceNumbers[ExactText(source)] ?? sources.count
    if sourceNumber == sources.count {
      sourceNumbers[ExactText(source)] = sourceNumber
      sources.append(source)
    }
    let sourced = SourcedSeries(source: sourceNumber, series: series)
    if let number = numbers[sourced] { return number }
    numbers[sourced] = known.count
    known.append(Known(source: sourceNumber, series: series))
    return known.count - 1
  }
}

extension CloudEventSkim.SeriesParts {
  /// Lends the parts one after the other, behind the length of each.
  fileprivate func withKey<Result>(
    in text: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Result
  ) -> Result {
    let parts: [7 of Range<Int>] = [
      source, subject, meter, resourceURI, location, tags, additionalInfo,
    ]
    var size = parts.count * 4
    for index in parts.indices { size += parts[index].count }
    return withUnsafeTemporaryAllocation(byteCount: size, alignment: 8) { key in
      var content = parts.count * 4
      for index in parts.indices {
        let part = parts[index]
        key.storeBytes(of: UInt32(part.count), toByteOffset: index * 4, as: UInt32.self)
        guard !part.isEmpty else { continue }
        memcpy(key.baseAddress! + content, text.baseAddress! + part.lowerBound, part.count)
        content += part.count
      }
      return body(UnsafeRawBufferPointer(key))
    }
  }
}
