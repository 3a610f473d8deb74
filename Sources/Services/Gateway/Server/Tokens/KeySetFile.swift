internal import Logging
internal import StackmeterCore
internal import StackmeterRuntime
internal import Synchronization

/// The keys of a JSON Web Key Set in a file, read again when it has changed.
///
/// A file that cannot be read at the start is an error. One that breaks later leaves the last good keys in force, and
/// is logged once for each change.
final class KeySetFile: KeySource {
  private struct State {
    var keys: VerificationKeys
    var version: FileVersion?
    var checked: Instant
  }

  private let path: String
  private let clock: any WallClock
  private let logger: Logger
  private let state: Mutex<State>

  init(path: String, clock: any WallClock, logger: Logger) throws(VerificationKeysError) {
    self.path = path
    self.clock = clock
    self.logger = logger
    let version = FileVersion(path)
    let keys = try KeySetFile.read(path)
    state = Mutex(State(keys: keys, version: version, checked: clock.now()))
    logger.tell(keys, of: path)
  }

  func key(_ id: String) -> VerificationKey? {
    let now = clock.now()
    return state.withLock { state in
      let age = now - state.checked
      if age >= APIKeyFile.checkInterval || age < .zero {
        state.checked = now
        let version = FileVersion(path)
        if version != state.version {
          state.version = version
          do throws(VerificationKeysError) {
            state.keys = try KeySetFile.read(path)
            logger.tell(state.keys, of: path)
          } catch {
            logger.error(
              "the key set cannot be read; the last good one stays in force",
              metadata: ["error": "\(error)"])
          }
        }
      }
      return state.keys[id]
    }
  }

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
