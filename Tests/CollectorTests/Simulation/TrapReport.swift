import Glibc

/// Names the seed of the life that runs now where the process traps: nothing else is told of it then.
enum TrapReport {
  private static let textBytesMax = 64
  /// What a trap writes. Kept ready, because a signal handler may not allocate.
  // Written between lives, and read by the handler alone.
  nonisolated(unsafe) private static let text: UnsafeMutablePointer<CChar> = {
    let text = UnsafeMutablePointer<CChar>.allocate(capacity: textBytesMax)
    text.initialize(repeating: 0, count: textBytesMax)
    for signal in [SIGILL, SIGTRAP, SIGSEGV, SIGABRT] {
      Glibc.signal(signal) { signal in
        write(STDERR_FILENO, TrapReport.text, strlen(TrapReport.text))
        // The instruction traps again, or is told to, and then ends the process as it would have.
        Glibc.signal(signal, SIG_DFL)
        raise(signal)
      }
    }
    return text
  }()

  static func begin(_ seed: UInt64) {
    let bytes = Array("trapped with STACKMETER_SEED=\(seed)\n".utf8CString)
    precondition(bytes.count <= textBytesMax, "a seed has at most 20 digits")
    text.update(from: bytes, count: bytes.count)
  }
}
