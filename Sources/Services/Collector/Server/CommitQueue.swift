internal import Glibc

/// A bounded queue from many callers to one thread that takes all that waits at once: the group of a commit.
///
/// `@unchecked Sendable`: every access to `state` is under `mutex`.
// The state is protected by a POSIX mutex, which the compiler cannot see.
final class CommitQueue<Element: Sendable>: @unchecked Sendable {
  private struct State {
    var elements: [Element] = []
    var weight = 0
    var isClosed = false
  }

  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>
  private let weightMax: Int
  private var state = State()

  /// `weightMax` bounds the sum of the weights that wait.
  init(weightMax: Int) {
    self.weightMax = weightMax
    mutex = .allocate(capacity: 1)
    condition = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  enum Refused: Error {
    case full
    case closed
  }

  func put(_ element: Element, weight: Int) throws(Refused) {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    guard !state.isClosed else { throw .closed }
    // A single element that is too heavy for the queue may still pass alone.
    guard state.weight == 0 || state.weight + weight <= weightMax else { throw .full }
    state.elements.append(element)
    state.weight += weight
    pthread_cond_signal(condition)
  }

  /// Everything that waits; empty after `timeout` without anything; nil once closed and empty.
  func take(timeout: Duration) -> [Element]? {
    var deadline = timespec()
    clock_gettime(CLOCK_MONOTONIC, &deadline)
    let nanoseconds =
      Int64(deadline.tv_nsec) + timeout.components.attoseconds / 1_000_000_000
    deadline.tv_sec += Int(timeout.components.seconds + nanoseconds / 1_000_000_000)
    deadline.tv_nsec = Int(nanoseconds % 1_000_000_000)
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while state.elements.isEmpty && !state.isClosed {
      if pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT { break }
    }
    if state.elements.isEmpty { return state.isClosed ? nil : [] }
    defer {
      state.elements = []
      state.weight = 0
    }
    return state.elements
  }

  /// Refuses what comes; what waits is still taken.
  func close() {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    state.isClosed = true
    pthread_cond_broadcast(condition)
  }
}
