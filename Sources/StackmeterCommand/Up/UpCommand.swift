internal import ArgumentParser
internal import Glibc
internal import StackmeterRPC
internal import StackmeterRuntime

/// `stackmeter up`.
struct UpCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "up", abstract: "Run all of Stackmeter on this host.",
    discussion: """
      Starts every service, restarts those that end, and shows a line for each. Ctrl-C stops them in order, \
      a second Ctrl-C at once. The services' logs are in the state directory, in log/.
      """)

  @OptionGroup var options: SettingsOptions

  func run() async throws {
    try await reportingFailure {
      let settings = try options.settings()
      for service in ["collector", "aggregator", "query", "bridge"] {
        let path = settings.socketPath(service)
        guard path.utf8.count <= ListeningSocket.pathBytesMax else {
          throw CommandFailure(
            "runDirectory: \(settings.runDirectory) is too long: a socket's path has at most "
              + "\(ListeningSocket.pathBytesMax) bytes, and \(path) has \(path.utf8.count)",
            exitCode: EX_CONFIG)
        }
      }
      // Whoever is in the group of the run directory may speak to the services.
      try makeDirectories(settings.runDirectory, mode: 0o750)
      try makeDirectories(settings.stateDirectory, mode: 0o750)
      try makeDirectories(Supervisor.logDirectory(settings), mode: 0o750)
      let lock = try UpLock(runDirectory: settings.runDirectory)
      let supervisor = Supervisor(
        settings: settings, executables: try Self.executables(),
        arguments: options.config.map { ["--config", $0] } ?? [],
        environment: processEnvironment())
      let end = await supervisor.run()
      _ = consume lock
      if end == .refused { throw ExitCode(EX_CONFIG) }
    }
  }

  /// Where this program is, and the services with it.
  static func executables() throws(CommandFailure) -> String {
    var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let count = buffer.withUnsafeMutableBytes { room in
      readlink("/proc/self/exe", room.assumingMemoryBound(to: CChar.self).baseAddress!, room.count)
    }
    guard count > 0, let slash = buffer[..<count].lastIndex(of: UInt8(ascii: "/")) else {
      throw CommandFailure(
        "cannot find this program's own place: \(String(cString: strerror(errno)))")
    }
    return String(decoding: buffer[..<slash], as: UTF8.self)
  }
}
