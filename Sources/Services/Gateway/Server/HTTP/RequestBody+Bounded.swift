internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// A body that broke off or was not HTTP.
struct BodyReadError: Error {
  let cause: any Error
}

extension GatewayRequest {
  /// The whole body, of at most `bytesMax`. More is refused as soon as it is known.
  func bodyBytes(max bytesMax: Int) async throws -> [UInt8] {
    let tooLarge = HTTPProblem(
      .contentTooLarge, "ContentTooLarge",
      "the body may have at most \(bytesMax) bytes; send it in parts")
    let announced = head.headerFields[.contentLength].flatMap { Int($0) }
    if let announced, announced > bytesMax { throw tooLarge }
    var bytes: [UInt8] = []
    // What was announced need not come, so not all of it is set aside at once.
    bytes.reserveCapacity(min(announced ?? 0, 1 << 20))
    do {
      for try await chunk in body {
        guard bytes.count + chunk.readableBytes <= bytesMax else { throw tooLarge }
        bytes.append(contentsOf: chunk.readableBytesView)
      }
    } catch let problem as HTTPProblem {
      throw problem
    } catch {
      throw BodyReadError(cause: error)
    }
    return bytes
  }
}
