internal import Glibc
package import Logging
package import StackmeterCore
internal import StackmeterRuntime

/// The keys of a file, read again when the file has changed, so that a new key works and a revoked one is
/// refused within a second.
///
/// A file that cannot be read at the start is an error. One that breaks later leaves the last good keys in
/// force, and is logged once for each change.
package final class APIKeyFile: Sendable {
  private let clock: any WallClock
  private let file: ReloadedFiles<APIKeys, APIKeysError>

  package init(
    path: String, clock: any WallClock, logger: Logger
  ) throws(APIKeysError) {
    self.clock = clock
    file = try ReloadedFiles(
      [path], clock: clock,
      read: { () throws(APIKeysError) in try APIKeys(file: path) },
      tell: { result in
        switch result {
        case .success(let keys):
          logger.info("the API keys were read again", metadata: ["count": "\(keys.keys.count)"])
        case .failure(let error):
          logger.error(
            "the API keys cannot be read; the last good ones stay in force",
            metadata: ["error": "\(error)"])
        }
      })
  }

  /// The key that a token is of, among the file's present keys.
  func key(for token: String) -> APIKey? {
    file.current().key(for: token, now: clock.now())
  }

  /// The good keys of a client certificate with these names.
  func keys(forCertificate names: [String]) -> [APIKey] {
    file.current().keys(forCertificate: names, now: clock.now())
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
