internal import StackmeterCore
internal import StackmeterRuntime
internal import Synchronization

/// What some files hold, read again when one of them has changed; looked at once a second at most.
///
/// Files that cannot be used at the start are an error. Ones that break later leave the last good content in force, and
/// are told of once for each change.
final class ReloadedFiles<Content: Sendable, Failure: Error>: Sendable {
  private struct State {
    var content: Content
    /// Nil where a file could not be looked at.
    var versions: [FileVersion?]
    var checked: Instant
  }

  private let paths: [String]
  private let clock: any WallClock
  private let read: @Sendable () throws(Failure) -> Content
  private let tell: @Sendable (Result<Content, Failure>) -> Void
  private let state: Mutex<State>

  /// `tell` hears of every reading after the first.
  init(
    _ paths: [String], clock: any WallClock,
    read: @escaping @Sendable () throws(Failure) -> Content,
    tell: @escaping @Sendable (Result<Content, Failure>) -> Void
  ) throws(Failure) {
    self.paths = paths
    self.clock = clock
    self.read = read
    self.tell = tell
    // Looked at first: what changes while it is read is read again.
    let versions = paths.map { FileVersion($0) }
    state = Mutex(State(content: try read(), versions: versions, checked: clock.now()))
  }

  /// The last good content.
  func current() -> Content {
    let now = clock.now()
    return state.withLock { state in
      let age = now - state.checked
      // A clock that was set back counts as time that has passed.
      guard age >= reloadInterval || age < .zero else { return state.content }
      state.checked = now
      let versions = paths.map { FileVersion($0) }
      guard versions != state.versions else { return state.content }
      state.versions = versions
      do throws(Failure) {
        state.content = try read()
        tell(.success(state.content))
      } catch {
        tell(.failure(error))
      }
      return state.content
    }
  }
}

/// How often the files are looked at.
private let reloadInterval: Duration = .seconds(1)
