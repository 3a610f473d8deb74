internal import CStackmeterProto
internal import StackmeterCore

/// The series that batches named lately, by the bytes that they came in. To unpack one costs more than all else of its
/// event, and reporters name the same ones each hour.
enum SeriesMemory {
  /// What is remembered is forgotten past these, all of it.
  static let seriesMax = 1 << 16
  static let bytesMax = 16 << 20
  /// A longer one is unpacked each time.
  static let seriesBytesMax = 4 << 10
  /// Batches are unpacked by so many threads at once with a memory each; further ones begin with none.
  static let memoriesMax = 4

  private static let memories = MemoryPool<ByteMemory<Series>>(countMax: memoriesMax)

  /// Reads a repeated field of packed series.
  static func read(
    _ packed: UnsafeMutablePointer<ProtobufCBinaryData>?, _ count: Int
  ) throws(WireError) -> [Series] {
    guard let packed, count > 0 else { return [] }
    var memory = memories.take() ?? ByteMemory()
    if memory.count > seriesMax || memory.byteCount > bytesMax { memory = ByteMemory() }
    defer { memories.give(memory) }
    var series: [Series] = []
    series.reserveCapacity(count)
    for index in 0..<count {
      let bytes = UnsafeRawBufferPointer(start: packed[index].data, count: packed[index].len)
      if let known = memory.value(of: bytes) {
        series.append(known)
      } else {
        let read = try Series(unpacking: bytes)
        if bytes.count <= seriesBytesMax { memory.remember(bytes, read) }
        series.append(read)
      }
    }
    return series
  }
}
