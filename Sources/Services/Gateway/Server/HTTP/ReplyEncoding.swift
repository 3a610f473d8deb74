internal import Crypto
internal import HTTPTypes
internal import StackmeterCompression
internal import StackmeterCore

/// How an answer goes to a client: compressed where the client takes that, and not at all where it has it already.
///
/// A lasting answer, one that is about closed windows only, has a strong ETag: the hash of its bytes, or what stands
/// for them, with `-gzip` behind it where it is compressed.
struct ReplyEncoding {
  /// Smaller answers are not compressed.
  static let gzipBytesMin = 1024

  private let acceptsGzip: Bool
  private let knownTags: [String]

  init(_ request: HTTPFields) {
    acceptsGzip = ReplyEncoding.acceptsGzip(request[values: .acceptEncoding])
    knownTags = request[values: .ifNoneMatch].flatMap { field in
      field.split(separator: ",").map { tag in
        let tag = tag.trimming(" \t")
        return tag.hasPrefix("W/") ? String(tag.dropFirst(2)) : tag
      }
    }
  }

  /// The answer as this client takes it.
  func encoded(_ reply: Reply) -> Reply {
    var reply = reply
    reply.headers[.vary] = "Accept-Encoding"
    guard reply.status == .ok else { return reply }
    let isStreamed = reply.stream != nil
    let isCompressed =
      acceptsGzip && (isStreamed || reply.bytes.count >= ReplyEncoding.gzipBytesMin)
    if reply.isLasting {
      let name = reply.tag ?? hexadecimal(SHA256.hash(data: reply.bytes).prefix(16))
      let tag = "\"\(name)\(isCompressed ? "-gzip" : "")\""
      reply.headers[.eTag] = tag
      // What a client keeps it asks about again: whose it is, and what is kept, may change.
      reply.headers[.cacheControl] = "private, no-cache"
      reply.headers[.vary] = "Accept-Encoding, Authorization"
      if knownTags.contains("*") || knownTags.contains(tag) {
        reply.status = .notModified
        reply.bytes = []
        reply.stream = nil
        for name in [HTTPField.Name.contentType, .contentDisposition, .trailer] {
          reply.headers[name] = nil
        }
        return reply
      }
    }
    guard isCompressed else { return reply }
    reply.headers[.contentEncoding] = "gzip"
    if let stream = reply.stream {
      reply.stream = { send in
        // Whoever sends a piece has waited for the one before.
        nonisolated(unsafe) let encoder = GzipEncoder(.fast)
        let trailers = try await stream { bytes in
          var packed: [UInt8] = []
          encoder.write(bytes, to: &packed)
          try await send(packed)
        }
        var packed: [UInt8] = []
        encoder.finish(to: &packed)
        try await send(packed)
        return trailers
      }
    } else {
      reply.bytes = GzipEncoder.encode(reply.bytes, .fast)
    }
    return reply
  }

  /// RFC 9110, section 12.5.3: `gzip`, `x-gzip` or `*`, unless with a weight of 0.
  static func acceptsGzip(_ fields: [String]) -> Bool {
    var any = false
    for item in fields.flatMap({ $0.split(separator: ",") }) {
      let parts = item.split(separator: ";").map { $0.trimming(" \t").asciiLowercased }
      guard let name = parts.first, ["gzip", "x-gzip", "*"].contains(name) else { continue }
      let weight = parts.dropFirst().first { $0.hasPrefix("q=") }?.dropFirst(2)
      let isRefused = weight.map { $0.allSatisfy { $0 == "0" || $0 == "." } } ?? false
      if name == "*" { any = !isRefused } else { return !isRefused }
    }
    return any
  }
}

extension Substring {
  fileprivate func trimming(_ characters: String) -> String {
    var rest = self
    while let first = rest.first, characters.contains(first) { rest.removeFirst() }
    while let last = rest.last, characters.contains(last) { rest.removeLast() }
    return String(rest)
  }
}
