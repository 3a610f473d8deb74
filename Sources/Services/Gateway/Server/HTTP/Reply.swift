internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import StackmeterCore
internal import StackmeterOData

/// What a handler answers: a status and a body, JSON most of the time, or a stream of bytes.
struct Reply {
  /// Sends bytes one after the other; gives the fields that stand behind them.
  typealias Stream =
    @Sendable (
      _ send: @Sendable ([UInt8]) async throws -> Void
    ) async throws -> HTTPFields

  var status: HTTPResponse.Status
  var headers: HTTPFields
  var bytes: [UInt8]
  /// Instead of `bytes`.
  var stream: Stream?
  /// About closed windows only, so that the same question has the same answer, see `ReplyEncoding`.
  var isLasting = false
  /// What stands for the bytes of a stream.
  var tag: String?

  init(
    _ status: HTTPResponse.Status = .ok, headers: HTTPFields = [:],
    _ body: (inout JSONWriter) -> Void
  ) {
    var writer = JSONWriter()
    writer.object(body)
    self.status = status
    self.headers = headers
    bytes = writer.bytes
    self.headers[.contentType] = "application/json; charset=utf-8"
  }

  /// A body of another type, or one that was written before.
  init(
    _ status: HTTPResponse.Status, headers: HTTPFields = [:], _ bytes: [UInt8], type: String
  ) {
    self.status = status
    self.headers = headers
    self.bytes = bytes
    self.headers[.contentType] = type
  }

  /// Nothing but a status and headers.
  init(empty status: HTTPResponse.Status, headers: HTTPFields = [:]) {
    self.status = status
    self.headers = headers
    bytes = []
  }

  /// An answer that is made while it is sent. With a tag, which stands for all of its bytes, it is lasting.
  init(headers: HTTPFields, tag: String?, stream: @escaping Stream) {
    status = .ok
    self.headers = headers
    bytes = []
    self.stream = stream
    isLasting = tag != nil
    self.tag = tag
  }

  func response(isHead: Bool) -> Response {
    var headers = headers
    guard let stream else {
      // RFC 9110, section 8.6: 204 has no length, and 304 none of its own.
      if status != .notModified && status != .noContent {
        headers[.contentLength] = String(bytes.count)
      }
      return Response(
        status: status, headers: headers,
        body: isHead || bytes.isEmpty
          ? ResponseBody() : ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
    guard !isHead else { return Response(status: status, headers: headers, body: ResponseBody()) }
    return Response(
      status: status, headers: headers,
      body: ResponseBody { writer in
        let out = StreamWriter(writer)
        try await writer.finish(try await out.run(stream))
      })
  }
}

/// Sends the pieces of a stream, each once the one before is on its way. A client that takes them too slowly loses its
/// connection, see `ConnectionGuard`; then sending throws.
private struct StreamWriter: Sendable {
  // Whoever writes has waited for the write before.
  nonisolated(unsafe) private let writer: any ResponseBodyWriter

  init(_ writer: any ResponseBodyWriter) {
    self.writer = writer
  }

  func run(_ stream: @escaping Reply.Stream) async throws -> HTTPFields {
    try await stream { bytes in
      guard !bytes.isEmpty else { return }
      var writer = writer
      try await writer.write(ByteBuffer(bytes: bytes))
    }
  }
}

/// Whose manners a path has: its errors' form and its headers.
enum Surface {
  case native
  case azure
  /// The methods of services.
  case connect
  case odata

  init(path: String) {
    let lower = path.asciiLowercased
    let isAzure =
      lower == "/subscriptions"
      || ["/subscriptions/", "/providers/", "/metadata/"].contains { lower.hasPrefix($0) }
    let isOData = path == ODataAnswers.root || path.hasPrefix("\(ODataAnswers.root)/")
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    let isConnect = parts.count == 3 && parts[1].contains(".")
    self = isAzure ? .azure : isOData ? .odata : isConnect ? .connect : .native
  }

  /// The error as this surface's clients read it.
  ///
  /// Azure: `{"error": {"code", "message"}, "code", "message"}`, because newer clients read the inner members and
  /// older ones the outer. Connect: `{"code", "message"}`. OData: `{"error": {"code", "message"}}` (JSON Format 4.0,
  /// section 19). Native: RFC 9457 problem details with the member `code`.
  func reply(_ problem: HTTPProblem) -> Reply {
    switch self {
    case .azure:
      var reply = Reply(problem.status, headers: problem.headers) { writer in
        writer.member(
          "error",
          object: { writer in
            writer.member("code", string: problem.code)
            writer.member("message", string: problem.detail)
          })
        writer.member("code", string: problem.code)
        writer.member("message", string: problem.detail)
      }
      reply.headers[.azureErrorCode] = problem.code
      if problem.status.kind == .serverError { reply.headers[.failureCause] = "service" }
      return reply
    case .odata:
      return Reply(problem.status, headers: problem.headers) { writer in
        writer.member(
          "error",
          object: { writer in
            writer.member("code", string: problem.code)
            writer.member("message", string: problem.detail)
          })
      }
    case .connect:
      let code = ConnectCode(rawValue: problem.code) ?? ConnectCode(problem.status)
      return Reply(problem.status, headers: problem.headers) { writer in
        writer.member("code", string: code.rawValue)
        writer.member("message", string: problem.detail)
      }
    case .native:
      var reply = Reply(problem.status, headers: problem.headers) { writer in
        writer.member("type", string: problem.type)
        writer.member("title", string: problem.status.reasonPhrase)
        writer.member("status", problem.status.code)
        writer.member("detail", string: problem.detail)
        writer.member("code", string: problem.code)
        if !problem.violatedPolicies.isEmpty {
          writer.member(
            "violated-policies",
            array: { writer in for name in problem.violatedPolicies { writer.string(name) } })
        }
        guard !problem.fields.isEmpty else { return }
        writer.member(
          "errors",
          array: { writer in
            for field in problem.fields {
              writer.object { writer in
                writer.member("field", string: field.field)
                writer.member("message", string: field.message)
              }
            }
          })
      }
      reply.headers[.contentType] = "application/problem+json"
      return reply
    }
  }

  /// What every answer of this surface carries.
  func addHeaders(_ headers: inout HTTPFields, requestID: RequestID, request: HTTPFields) {
    headers[.requestID] = requestID.text
    headers[.contentTypeOptions] = "nosniff"
    switch self {
    case .native, .connect:
      if headers[.cacheControl] == nil { headers[.cacheControl] = "no-store" }
    case .odata:
      headers[.cacheControl] = "no-store"
      headers[.odataVersion] = ODataService.version
      if headers[.wwwAuthenticate] != nil {
        headers[values: .wwwAuthenticate] = ["Bearer", "Basic realm=\"Stackmeter\""]
      }
    case .azure:
      headers[.cacheControl] = "no-cache"
      headers[.pragma] = "no-cache"
      headers[.expires] = "-1"
      headers[.correlationRequestID] =
        RequestID.echoable(request[.correlationRequestID]) ?? requestID.text
      headers[.clientRequestID] = RequestID.echoable(request[.clientRequestID])
    }
  }
}

/// The name of one request, for logs and answers: a random UUID.
struct RequestID {
  let text: String

  init() {
    var generator = SystemRandomNumberGenerator()
    var bytes = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    bytes[6] = bytes[6] & 0x0F | 0x40
    bytes[8] = bytes[8] & 0x3F | 0x80
    let parts = [0..<4, 4..<6, 6..<8, 8..<10, 10..<16].map { hexadecimal(bytes[$0]) }
    text = parts.joined(separator: "-")
  }

  /// A client's own id, where it is short and plain enough to repeat.
  static func echoable(_ text: String?) -> String? {
    guard let text, (1...64).contains(text.utf8.count),
      text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
    else { return nil }
    return text
  }
}

extension HTTPField.Name {
  static let requestID = HTTPField.Name("x-ms-request-id")!
  static let correlationRequestID = HTTPField.Name("x-ms-correlation-request-id")!
  static let clientRequestID = HTTPField.Name("x-ms-client-request-id")!
  static let azureErrorCode = HTTPField.Name("x-ms-error-code")!
  static let failureCause = HTTPField.Name("x-ms-failure-cause")!
  static let contentTypeOptions = HTTPField.Name("X-Content-Type-Options")!
  static let pragma = HTTPField.Name("Pragma")!
}
