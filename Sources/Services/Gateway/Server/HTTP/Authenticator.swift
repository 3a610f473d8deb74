internal import HTTPTypes
internal import Logging
internal import StackmeterCore
internal import Synchronization

/// The one place where what a request brings along becomes a caller: an API key, or a token of an identity provider.
///
/// Whatever is wrong with them, the client is told the same; the log says which it was.
struct Authenticator: Sendable {
  private let keys: APIKeyFile
  private let tokens: TokenVerifier?
  private let log: RefusalLog

  init(keys: APIKeyFile, tokens: TokenVerifier?, clock: any WallClock, logger: Logger) {
    self.keys = keys
    self.tokens = tokens
    log = RefusalLog(clock: clock, logger: logger)
  }

  /// A token anywhere but in one header is no token.
  func principal(
    _ headers: HTTPFields, requestID: RequestID
  ) async throws(HTTPProblem) -> Principal {
    let fields = headers[values: .authorization]
    guard !fields.isEmpty else { throw .unauthenticated }
    do throws(Refusal) {
      guard fields.count == 1, let space = fields[0].firstIndex(of: " ") else {
        throw Refusal(reason: "the header Authorization is not one token")
      }
      let credentials = String(fields[0][space...].drop { $0 == " " })
      switch String(fields[0][..<space]).asciiLowercased {
      case "bearer": return try await principal(token: credentials)
      case "basic": return try await principal(token: try Authenticator.password(credentials))
      default: throw Refusal(reason: "the header Authorization is neither Bearer nor Basic")
      }
    } catch {
      log.add(error.reason, requestID)
      throw .unauthenticated
    }
  }

  /// The caller that the key file gives a client certificate of these names.
  func principal(
    certificate names: [String], _ requestID: RequestID
  ) throws(HTTPProblem) -> Principal {
    let found = keys.keys(forCertificate: names)
    guard found.count == 1 else {
      log.add(
        "the key file has \(found.isEmpty ? "nobody" : "several callers") for the certificate of "
          + names.joined(separator: ", "), requestID)
      throw .unauthenticated
    }
    return Principal(caller: found[0].caller, name: "key:\(found[0].id)")
  }

  private struct Refusal: Error {
    let reason: String
  }

  /// What Excel and others that know passwords only send: the token is the password, and the user's name is anything.
  /// RFC 7617.
  private static func password(_ credentials: String) throws(Refusal) -> String {
    guard let bytes = Base64.bytes(credentials),
      let text = String(validating: bytes, as: UTF8.self), let colon = text.firstIndex(of: ":")
    else { throw Refusal(reason: "the header Authorization is no user and password") }
    return String(text[text.index(after: colon)...])
  }

  private func principal(token: String) async throws(Refusal) -> Principal {
    if token.hasPrefix("sm_") {
      guard let key = keys.key(for: token) else { throw Refusal(reason: "no good API key") }
      return Principal(caller: key.caller, name: "key:\(key.id)")
    }
    guard let tokens else { throw Refusal(reason: "no API key, and no other tokens are taken") }
    do throws(TokenRefusal) {
      return try await tokens.principal(token)
    } catch {
      throw Refusal(reason: error.description)
    }
  }
}

/// Writes down why requests were refused, so many lines a second: a flood of bad tokens is no flood of the log.
private final class RefusalLog: Sendable {
  private static let linesPerSecondMax = 20

  private struct State {
    var second: Int64 = 0
    var lines = 0
    var omitted = 0
  }

  private let clock: any WallClock
  private let logger: Logger
  private let state = Mutex(State())

  init(clock: any WallClock, logger: Logger) {
    self.clock = clock
    self.logger = logger
  }

  func add(_ reason: String, _ requestID: RequestID) {
    let second = clock.now().nanoseconds / Instant.nanosecondsPerSecond
    let omitted = state.withLock { state -> Int? in
      if state.second != second {
        state.second = second
        state.lines = 0
      }
      guard state.lines < RefusalLog.linesPerSecondMax else {
        state.omitted += 1
        return nil
      }
      state.lines += 1
      defer { state.omitted = 0 }
      return state.omitted
    }
    guard let omitted else { return }
    var metadata: Logger.Metadata = ["request": "\(requestID.text)", "reason": "\(reason)"]
    if omitted > 0 { metadata["omitted"] = "\(omitted)" }
    logger.notice("a request was refused as unauthenticated", metadata: metadata)
  }
}
