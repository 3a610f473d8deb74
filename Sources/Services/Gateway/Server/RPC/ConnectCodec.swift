internal import GRPCCore
internal import HTTPTypes
internal import StackmeterCore
internal import StackmeterWire

/// How the messages of a call are written: Connect's two codecs.
enum ConnectCodec {
  case json
  case proto

  init(_ headers: HTTPFields) throws(HTTPProblem) {
    let type = (headers[.contentType] ?? "").prefix { $0 != ";" }.filter { $0 != " " }
    switch String(type).asciiLowercased {
    case "application/json": self = .json
    case "application/proto": self = .proto
    default:
      throw HTTPProblem(
        .unsupportedMediaType, "UnsupportedMediaType",
        "the Content-Type must be application/json or application/proto, Connect's unary form",
        headers: [.acceptPost: "application/json, application/proto"])
    }
  }

  var contentType: String { self == .json ? "application/json" : "application/proto" }

  /// The message, encoded, with the caller that the gateway knows.
  func read(
    _ bytes: [UInt8], as type: MessageType, caller: Caller
  ) throws(HTTPProblem) -> [UInt8] {
    switch self {
    case .json:
      let value: JSONValue
      do throws(JSONError) {
        value = try JSONValue(parsing: bytes, limits: .message)
      } catch {
        throw HTTPProblem(.invalidArgument, error.description)
      }
      do throws(TranscodingError) {
        return try type.packed(value, caller: caller)
      } catch {
        throw HTTPProblem(.invalidArgument, error.explanation)
      }
    case .proto:
      do throws(WireError) {
        return try type.packed(bytes, caller: caller)
      } catch {
        throw HTTPProblem(.invalidArgument, error.explanation)
      }
    }
  }

  func write(_ bytes: [UInt8], as type: MessageType) throws(RPCError) -> [UInt8] {
    guard self == .json else { return bytes }
    do throws(WireError) {
      return try type.json(bytes)
    } catch {
      throw RPCError(code: .internalError, message: error.explanation)
    }
  }
}

extension HTTPField.Name {
  fileprivate static let acceptPost = HTTPField.Name("Accept-Post")!
}
