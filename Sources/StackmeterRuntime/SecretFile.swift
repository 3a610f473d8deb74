internal import Glibc

/// The random bytes in a file of mode 0600, which is made where there is none. Two processes that start at once
/// get the same bytes.
package func secretFile(_ path: String, byteCount: Int) throws -> [UInt8] {
  func failure(_ operation: String) -> SettingsError {
    SettingsError(problems: ["cannot \(operation) \(path): \(String(cString: strerror(errno)))"])
  }
  if access(path, F_OK) != 0 {
    let temporary = "\(path).\(getpid())"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw failure("create the secret") }
    defer {
      close(descriptor)
      unlink(temporary)
    }
    var random = SystemRandomNumberGenerator()
    let secret = (0..<byteCount).map { _ in UInt8.random(in: 0...255, using: &random) }
    guard write(descriptor, secret, byteCount) == byteCount, fsync(descriptor) == 0 else {
      throw failure("write the secret")
    }
    // Does not replace what another process made in the meantime.
    guard link(temporary, path) == 0 || errno == EEXIST else { throw failure("name the secret") }
  }
  let secret = try fileContent(path, bytesMax: byteCount)
  guard secret.count == byteCount else {
    throw SettingsError(problems: ["\(path): must have \(byteCount) bytes; remove it for a new one"])
  }
  return secret
}
