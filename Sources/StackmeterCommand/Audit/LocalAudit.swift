internal import GatewayServer
internal import Glibc
internal import StackmeterCore
internal import StackmeterRuntime

/// Writes down what somebody at this host changes: before it is changed, and what became of it.
enum LocalAudit {
  /// `filter` is what is changed; the command's arguments where it is nil.
  ///
  /// Throws where the audit log cannot be written; then nothing was changed. A change whose outcome cannot be written
  /// down any more is done all the same.
  static func change<Outcome>(
    _ settings: Settings, _ operation: String, _ filter: String? = nil,
    _ change: () async throws -> Outcome
  ) async throws -> Outcome {
    try StateLock.makeDirectory(settings.stateDirectory)
    let log = try AuditLog(
      directory: settings.auditDirectory, bytesMax: settings.gateway.auditMebibytesMax << 20,
      clock: SystemClock())
    var entry = AuditEntry(
      caller: "user:\(getuid())", role: "operator", action: .change,
      operation: "stackmeter \(operation)",
      filter: filter ?? CommandLine.arguments.dropFirst().joined(separator: " "),
      request: "process:\(getpid())")
    try log.write(entry)
    entry.action = .outcome
    do {
      let outcome = try await change()
      entry.filter = "done"
      try? log.write(entry)
      return outcome
    } catch {
      entry.filter = "failed: \(error)"
      try? log.write(entry)
      throw error
    }
  }
}
