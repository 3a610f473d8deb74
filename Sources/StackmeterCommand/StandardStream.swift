internal import Glibc

/// Standard output or standard error, written whole and at once.
struct StandardStream: Sendable {
  static let output = StandardStream(descriptor: STDOUT_FILENO)
  static let error = StandardStream(descriptor: STDERR_FILENO)

  let descriptor: Int32

  var isTerminal: Bool { isatty(descriptor) == 1 }

  /// How many columns the terminal has; nil where it is none.
  var columns: Int? {
    var size = winsize()
    guard isTerminal, ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
      return nil
    }
    return Int(size.ws_col)
  }

  func write(_ text: String) {
    write(bytes: Array(text.utf8))
  }

  /// A reader that has gone ends the program, as it ends every filter; all else is not the program's fault.
  func write(bytes: [UInt8]) {
    var start = 0
    while start < bytes.count {
      let count = bytes[start...].withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress, $0.count)
      }
      if count < 0 && errno == EINTR { continue }
      if count < 0 && errno == EPIPE { exit(0) }
      if count < 0 { exit(EX_IOERR) }
      start += count
    }
  }
}

/// A text from outside with nothing in it that a terminal would obey: control characters and those that
/// turn the direction of writing become `�`.
func terminalText(_ text: String) -> String {
  var isPlain = true
  var clean = String.UnicodeScalarView()
  for scalar in text.unicodeScalars {
    let obeyed: Bool =
      switch scalar.value {
      case 0x0A: false
      case 0..<0x20, 0x7F..<0xA0, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069: true
      default: false
      }
    if obeyed { isPlain = false }
    clean.append(obeyed ? "\u{FFFD}" : scalar)
  }
  return isPlain ? text : String(clean)
}
