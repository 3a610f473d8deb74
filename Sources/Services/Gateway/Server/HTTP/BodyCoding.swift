internal import HTTPTypes
internal import NIOCore
internal import StackmeterCompression
internal import StackmeterCore

/// How a request's body is encoded: as it is, or as gzip.
enum BodyCoding {
  case identity
  case gzip

  init(_ headers: HTTPFields) throws(HTTPProblem) {
    switch headers[.contentEncoding]?.asciiLowercased {
    case nil, "identity": self = .identity
    case "gzip", "x-gzip": self = .gzip
    case .some(let other):
      throw HTTPProblem(
        .unsupportedMediaType, "UnsupportedMediaType",
        "the Content-Encoding \"\(other.prefix(64))\" is not taken; gzip is",
        headers: [.acceptEncoding: "gzip, identity"])
    }
  }
}

/// Decodes a body of gzip piece by piece, so that what comes out at once is bounded whatever went in.
struct GzipPieces {
  /// At most so much is decoded at once.
  private static let inputBytesMax = 4 << 10

  private let decoder: GzipDecoder
  private var rest = ByteBuffer()

  /// `bytesMax` may come out in all.
  init(bytesMax: Int) {
    decoder = GzipDecoder(GzipLimits(outputBytesMax: bytesMax))
  }

  /// Whether nothing is left of what was added.
  var isEmpty: Bool { rest.readableBytes == 0 }

  mutating func add(_ bytes: ByteBuffer) { rest = bytes }

  /// What the next few bytes hold, which may be nothing.
  mutating func next() throws(HTTPProblem) -> ByteBuffer {
    let input = rest.readSlice(length: min(rest.readableBytes, GzipPieces.inputBytesMax))
    var output: [UInt8] = []
    do throws(GzipError) {
      try decoder.write(Array((input ?? ByteBuffer()).readableBytesView), to: &output)
    } catch {
      throw HTTPProblem(error)
    }
    return ByteBuffer(bytes: output)
  }

  /// Throws where the body is not whole.
  func finish() throws(HTTPProblem) {
    do throws(GzipError) {
      try decoder.finish()
    } catch {
      throw HTTPProblem(error)
    }
  }
}

extension HTTPProblem {
  fileprivate init(_ error: GzipError) {
    switch error {
    case .malformed: self.init(.badRequest, "Malformed", "the body is not gzip")
    case .truncated: self.init(.badRequest, "Malformed", "the body's gzip ends before its end")
    case .tooLarge(let bytesMax):
      self.init(
        .contentTooLarge, "ContentTooLarge",
        "the body may have at most \(bytesMax) bytes when it is decoded; send it in parts")
    case .tooDense(let ratioMax):
      self.init(
        .contentTooLarge, "ContentTooLarge",
        "the body is more than \(ratioMax) times as large when it is decoded")
    }
  }
}
