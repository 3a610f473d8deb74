internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// A body that broke off or was not HTTP.
struct BodyReadError: Error {
  let cause: any Error
}

extension RequestBody {
  /// The whole body, of at most `bytesMax`, read within `timeMax`. More is refused as soon as it is known, and a
  /// client that sends too slowly does not hold its place for ever.
  func bytes(
    announced: Int?, max bytesMax: Int, within timeMax: Duration
  ) async throws -> [UInt8] {
    if let announced, announced > bytesMax { throw HTTPProblem.bodyTooLarge(bytesMax) }
    return try await withThrowingTaskGroup(of: [UInt8]?.self) { group in
      group.addTask { try await collect(announced: announced, max: bytesMax) }
      group.addTask {
        try await Task.sleep(for: timeMax)
        return nil
      }
      defer { group.cancelAll() }
      guard let bytes = try await group.next() ?? nil else {
        throw HTTPProblem(
          .requestTimeout, "RequestTimeout", "the body did not arrive within \(timeMax)")
      }
      return bytes
    }
  }

  private func collect(announced: Int?, max bytesMax: Int) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    // What was announced need not come, so not all of it is set aside at once.
    bytes.reserveCapacity(Swift.min(announced ?? 0, 1 << 20))
    do {
      for try await chunk in self {
        guard bytes.count + chunk.readableBytes <= bytesMax else {
          throw HTTPProblem.bodyTooLarge(bytesMax)
        }
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

extension HTTPProblem {
  fileprivate static func bodyTooLarge(_ bytesMax: Int) -> HTTPProblem {
    HTTPProblem(
      .contentTooLarge, "ContentTooLarge",
      "the body may have at most \(bytesMax) bytes; send it in parts")
  }
}
