internal import Glibc
package import Logging
package import StackmeterCore
internal import StackmeterRuntime
internal import Synchronization

/// The keys of a file, read again when the file has changed, so that a new key works and a revoked one is
/// refused within a second.
///
/// A file that cannot be read at the start is an error. One that breaks later leaves the last good keys in
/// force, and is logged once for each change.
package final class APIKeyFile: Sendable {
  static let checkInterval: Duration = .seconds(1)

  private struct State {
    var keys: APIKeys
    /// Nil where the file could not be looked at.
    var version: FileVersion?
    var checked: Instant
  }

  private let path: String
  private let clock: any WallClock
  private let logger: Logger
  private let state: Mutex<State>

  package init(
    path: String, clock: any WallClock, logger: Logger
  ) throws(APIKeysError) {
    self.path = path
    self.clock = clock
    self.logger = logger
    let version = FileVersion(path)
    state = Mutex(
      State(keys: try APIKeys(file: path), version: version, checked: clock.now()))
  }

  /// The key that a token is of, among the file's present keys.
  func key(for token: String) -> APIKey? {
    current().key(for: token, now: clock.now())
  }

  /// The good keys of a client certificate with these names.
  func keys(forCertificate names: [String]) -> [APIKey] {
    current().keys(forCertificate: names, now: clock.now())
  }

  private func current() -> APIKeys {
    let now = clock.now()
    return state.withLock { state in
      let age = now - state.checked
      // A clock that was set back counts as time that has passed.
      guard age >= APIKeyFile.checkInterval || age < .zero else { return state.keys }
      state.checked = now
      let version = FileVersion(path)
      guard version != state.version else { return state.keys }
      state.version = version
      do throws(APIKeysError) {
        state.keys = try APIKeys(file: path)
        logger.info("the API keys were read again", metadata: ["count": "\(state.keys.keys.count)"])
      } catch {
        logger.error(
          "the API keys cannot be read; the last good ones stay in force",
          metadata: ["error": "\(error)"])
      }
      return state.keys
    }
  }
}

extension APIKeys {
  /// Reads a key file. One that anybody but its owner may write is refused.
  package init(file path: String) throws(APIKeysError) {
    let content: [UInt8]
    do {
      content = try fileContent(path)
    } catch {
      throw APIKeysError(problems: [error.description])
    }
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & 0o022 != 0 {
      throw APIKeysError(problems: [
        "\(path): others than its owner may write it; run chmod 0600 \(path)"
      ])
    }
    do {
      self = try APIKeys(json: content)
    } catch {
      throw APIKeysError(problems: error.problems.map { "\(path): \($0)" })
    }
  }
}
