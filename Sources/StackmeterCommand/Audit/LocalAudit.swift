internal import GatewayServer
internal import Glibc
internal import StackmeterRuntime

/// Writes down what somebody at this host changes, before it is changed.
enum LocalAudit {
  /// Throws where the audit log cannot be written; then nothing may be changed.
  static func write(_ settings: Settings, _ operation: String, _ filter: String) throws {
    try StateLock.makeDirectory(settings.stateDirectory)
    let log = try AuditLog(
      directory: settings.auditDirectory, bytesMax: settings.gateway.auditMebibytesMax << 20,
      clock: SystemClock())
    try log.write(
      AuditEntry(
        caller: "user:\(getuid())", role: "operator", action: .change,
        operation: "stackmeter \(operation)", filter: filter))
  }
}
