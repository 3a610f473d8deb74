internal import Logging
internal import StackmeterCore
internal import StackmeterRuntime

/// The keys of a JSON Web Key Set in a file, read again when it has changed.
///
/// A file that cannot be read at the start is an error. One that breaks later leaves the last good keys in force, and
/// is logged once for each change.
final class KeySetFile: KeySource {
  private let file: ReloadedFiles<VerificationKeys, VerificationKeysError>

  init(path: String, clock: any WallClock, logger: Logger) throws(VerificationKeysError) {
    file = try ReloadedFiles(
      [path], clock: clock,
      read: { () throws(VerificationKeysError) in try KeySetFile.read(path) },
      tell: { result in
        switch result {
        case .success(let keys): logger.tell(keys, of: path)
        case .failure(let error):
          logger.error(
            "the key set cannot be read; the last good one stays in force",
            metadata: ["error": "\(error)"])
        }
      })
    logger.tell(file.current(), of: path)
  }

  func key(_ id: String) -> VerificationKey? { file.current()[id] }

  private static func read(_ path: String) throws(VerificationKeysError) -> VerificationKeys {
    do throws(FileReadError) {
      let content = try fileContent(path, bytesMax: TokenLimits.keySetBytesMax)
      do throws(VerificationKeysError) {
        return try VerificationKeys(json: content)
      } catch {
        throw FileReadError(path: path, problem: error.description)
      }
    } catch {
      throw VerificationKeysError(description: error.description)
    }
  }
}

extension Logger {
  /// Says how many keys there are now, and which are not used.
  func tell(_ keys: VerificationKeys, of place: String) {
    info("the key set was read", metadata: ["place": "\(place)", "keys": "\(keys.count)"])
    for problem in keys.problems {
      warning(
        "a key of the set is not used", metadata: ["place": "\(place)", "problem": "\(problem)"])
    }
  }
}
