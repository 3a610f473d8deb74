internal import Glibc
internal import StackmeterRuntime

/// Where the registration is kept: a file that only the bridge's user may read, as it has the key.
struct RegistrationFile: Sendable {
  let path: String

  /// Nil where there is none.
  func read() throws -> BridgeRegistration? {
    guard access(path, F_OK) == 0 || errno != ENOENT else { return nil }
    do {
      return try BridgeRegistration(
        json: try fileContent(path, bytesMax: BridgeLimits.documentBytesMax))
    } catch let error as BridgeRegistrationError {
      throw SettingsError(problems: error.problems.map { "\(path): \($0)" })
    }
  }

  /// Replaces it, durably; nil removes it.
  func write(_ registration: BridgeRegistration?) throws(BridgeError) {
    guard let registration else {
      guard unlink(path) == 0 || errno == ENOENT else {
        throw FileReplacement.failure("remove", path)
      }
      return try FileReplacement.syncDirectory(of: path)
    }
    try FileReplacement.write(registration.json(), to: path, mode: 0o600)
  }
}
