internal import CZlib

/// How much may come out of compressed bytes from outside.
package struct GzipLimits: Hashable, Sendable {
  /// What may come out altogether.
  package var outputBytesMax: Int
  /// How many times as much may come out as went in: a text of usage is about 20 times, a bomb 1,000.
  package var ratioMax: Int
  /// So much may come out whatever the ratio is.
  package var outputBytesFree: Int

  package init(outputBytesMax: Int, ratioMax: Int = 200, outputBytesFree: Int = 1 << 20) {
    self.outputBytesMax = outputBytesMax
    self.ratioMax = ratioMax
    self.outputBytesFree = outputBytesFree
  }
}

/// Why compressed bytes were not taken.
package enum GzipError: Error, Equatable {
  /// They are no gzip, or were damaged on the way.
  case malformed
  /// They end before their end.
  case truncated
  /// More comes out than `outputBytesMax`.
  case tooLarge(bytesMax: Int)
  /// More than `ratioMax` times as much comes out as went in.
  case tooDense(ratioMax: Int)
}

/// Reads gzip, piece by piece, within limits: members one behind the other are one text (RFC 1952, section 2.2).
///
/// Takes about 128 KiB while it lives. What goes past a limit is noticed before 64 KiB more have come out. After an
/// error it is of no more use.
package final class GzipDecoder {
  private static let pieceBytes = 64 << 10

  private let limits: GzipLimits
  // zlib's state points back at it, so it never moves.
  private let stream: UnsafeMutablePointer<z_stream>
  private let piece: UnsafeMutablePointer<UInt8>
  /// Whether the last member has ended and no byte of another one has come.
  private var isAtEnd = false
  private(set) package var inputBytes = 0
  private(set) package var outputBytes = 0

  package init(_ limits: GzipLimits) {
    self.limits = limits
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    piece = .allocate(capacity: GzipDecoder.pieceBytes)
    let result = stackmeter_gunzip_begin(stream)
    precondition(result == Z_OK, "zlib has memory for a stream")
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
    piece.deallocate()
  }

  /// Appends everything that these bytes hold.
  package func write(
    _ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]
  ) throws(GzipError) {
    inputBytes += bytes.count
    var rest = bytes
    while !rest.isEmpty {
      if isAtEnd {
        inflateReset(stream)
        isAtEnd = false
      }
      // zlib counts in 32 bits.
      let input = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 30))
      stream.pointee.next_in = UnsafeMutablePointer(
        mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
      stream.pointee.avail_in = UInt32(input.count)
      try run(&output)
      let taken = input.count - Int(stream.pointee.avail_in)
      rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(taken))
    }
    stream.pointee.next_in = nil
  }

  package func write(_ bytes: [UInt8], to output: inout [UInt8]) throws(GzipError) {
    let result: Result<Void, GzipError> = bytes.withUnsafeBytes { bytes in
      do throws(GzipError) {
        return .success(try write(bytes, to: &output))
      } catch {
        return .failure(error)
      }
    }
    try result.get()
  }

  /// Throws where the text is not whole.
  package func finish() throws(GzipError) {
    guard isAtEnd else { throw .truncated }
  }

  /// Until the input is used up or a member ends.
  private func run(_ output: inout [UInt8]) throws(GzipError) {
    repeat {
      stream.pointee.next_out = piece
      stream.pointee.avail_out = UInt32(GzipDecoder.pieceBytes)
      let result = inflate(stream, Z_NO_FLUSH)
      let made = GzipDecoder.pieceBytes - Int(stream.pointee.avail_out)
      outputBytes += made
      guard outputBytes <= limits.outputBytesMax else {
        throw .tooLarge(bytesMax: limits.outputBytesMax)
      }
      guard
        outputBytes <= limits.outputBytesFree || outputBytes / limits.ratioMax <= inputBytes
      else { throw .tooDense(ratioMax: limits.ratioMax) }
      output.append(contentsOf: UnsafeBufferPointer(start: piece, count: made))
      switch result {
      case Z_OK: break
      case Z_STREAM_END:
        isAtEnd = true
        return
      // Nothing was left to do.
      case Z_BUF_ERROR: return
      default: throw .malformed
      }
    } while stream.pointee.avail_in > 0 || stream.pointee.avail_out == 0
  }

  /// A whole text at once.
  package static func decode(_ bytes: [UInt8], _ limits: GzipLimits) throws(GzipError) -> [UInt8] {
    let decoder = GzipDecoder(limits)
    var output: [UInt8] = []
    try decoder.write(bytes, to: &output)
    try decoder.finish()
    return output
  }
}
