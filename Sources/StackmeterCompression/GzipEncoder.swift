internal import CZlib

/// Makes one gzip member, piece by piece. Takes about 256 KiB while it lives, whatever it is given.
///
/// The same pieces make the same bytes: the header has no time and no name.
package final class GzipEncoder {
  /// For what is made once and read over a network, and for what is made at the speed of a disk.
  package enum Effort: Int32, Sendable {
    case fast = 1
    case balanced = 6
  }

  private static let pieceBytes = 64 << 10

  // zlib's state points back at it, so it never moves.
  private let stream: UnsafeMutablePointer<z_stream>
  private let piece: UnsafeMutablePointer<UInt8>

  package init(_ effort: Effort) {
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    piece = .allocate(capacity: GzipEncoder.pieceBytes)
    let result = stackmeter_gzip_begin(stream, effort.rawValue)
    precondition(result == Z_OK, "zlib has memory for a stream")
  }

  deinit {
    deflateEnd(stream)
    stream.deallocate()
    piece.deallocate()
  }

  /// Appends what is ready. Some of it stays inside until more comes, or the end.
  package func write(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) {
    run(bytes, Z_NO_FLUSH, &output)
  }

  package func write(_ bytes: [UInt8], to output: inout [UInt8]) {
    bytes.withUnsafeBytes { write($0, to: &output) }
  }

  /// Appends the rest. Nothing may be written behind it.
  package func finish(to output: inout [UInt8]) {
    run(UnsafeRawBufferPointer(start: nil, count: 0), Z_FINISH, &output)
  }

  private func run(_ bytes: UnsafeRawBufferPointer, _ flush: Int32, _ output: inout [UInt8]) {
    var rest = bytes
    repeat {
      // zlib counts in 32 bits.
      let input = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 30))
      rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(input.count))
      stream.pointee.next_in = UnsafeMutablePointer(
        mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
      stream.pointee.avail_in = UInt32(input.count)
      repeat {
        stream.pointee.next_out = piece
        stream.pointee.avail_out = UInt32(GzipEncoder.pieceBytes)
        let result = deflate(stream, rest.isEmpty ? flush : Z_NO_FLUSH)
        precondition(result != Z_STREAM_ERROR, "a stream is written to before its end")
        let made = GzipEncoder.pieceBytes - Int(stream.pointee.avail_out)
        output.append(contentsOf: UnsafeBufferPointer(start: piece, count: made))
      } while stream.pointee.avail_out == 0
    } while !rest.isEmpty
    stream.pointee.next_in = nil
  }

  /// A whole text at once.
  package static func encode(_ bytes: [UInt8], _ effort: Effort) -> [UInt8] {
    let encoder = GzipEncoder(effort)
    var output: [UInt8] = []
    output.reserveCapacity(bytes.count / 4 + 64)
    encoder.write(bytes, to: &output)
    encoder.finish(to: &output)
    return output
  }
}
