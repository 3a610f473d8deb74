internal import CStackmeterSupport
internal import Glibc
package import Logging
package import ServiceLifecycle
internal import UnixSignals

/// What every service's main is: settings in, parts run until a signal, an exit code out.
///
/// - `--config FILE` (or `STACKMETER_CONFIG`) names the settings file; the environment overrides it.
/// - `--check` prints every problem of the settings and exits.
/// - SIGTERM and SIGINT stop gracefully; so does the end of standard input under `STACKMETER_SUPERVISED=1`,
///   so that no service outlives the supervisor that started it.
///
/// Exit codes: 0 after a graceful stop, 64 for wrong arguments, 78 for wrong settings, 1 for all else.
package enum ServiceProgram {
  /// Runs the parts that `makeParts` builds, which stop in the reverse order. Returns only to end the process.
  ///
  /// Threads that allocate at once get heaps of their own, each of which keeps what was freed in it. A service that is
  /// to be small has at most `heapsMax` of them.
  package static func main(
    _ name: String, heapsMax: Int32? = nil,
    _ makeParts: (Settings, Logger) async throws -> [any Service]
  ) async -> Never {
    signal(SIGPIPE, SIG_IGN)
    raiseDescriptorLimit()
    if let heapsMax { _ = stackmeter_limit_heaps(heapsMax) }
    var logger = Logger(label: name) { _ in JSONLinesLogHandler(service: name) }
    let arguments = parse(CommandLine.arguments, name)
    do {
      let settings = try loadSettings(arguments.configuration)
      if arguments.isCheck {
        logger.info("the settings are good")
        exit(0)
      }
      if let level = getenv("STACKMETER_LOG_LEVEL").flatMap({
        Logger.Level(rawValue: String(cString: $0))
      }) {
        logger.logLevel = level
      }
      let parts = try await makeParts(settings, logger)
      if getenv("STACKMETER_SUPERVISED") != nil { stopWithStandardInput() }
      var quiet = logger
      quiet.logLevel = .error
      let group = ServiceGroup(
        services: parts, gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet)
      logger.info("started", metadata: ["pid": "\(getpid())"])
      try await group.run()
      logger.info("stopped")
      exit(0)
    } catch let error as SettingsError {
      for problem in error.problems { logger.critical("\(problem)") }
      exit(EX_CONFIG)
    } catch let error as FileReadError {
      logger.critical("\(error)")
      exit(EX_CONFIG)
    } catch {
      logger.critical("\(error)")
      exit(1)
    }
  }

  /// Takes all the descriptors that the host allows, so that many clients do not stop a service from accepting.
  private static func raiseDescriptorLimit() {
    var limit = rlimit()
    let descriptors = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard getrlimit(descriptors, &limit) == 0 else { return }
    limit.rlim_cur = min(limit.rlim_max, 65_536)
    setrlimit(descriptors, &limit)
  }

  /// The settings of the file and of the environment.
  package static func loadSettings(_ path: String?) throws -> Settings {
    let environment = processEnvironment()
    let path = path ?? environment["STACKMETER_CONFIG"]
    let file = try path.map { (path) throws(FileReadError) in try fileContent(path) }
    return try Settings(
      SettingsReader(
        environment: environment, file: file, fileName: path ?? "configuration"))
  }

  private static func parse(
    _ arguments: [String], _ name: String
  ) -> (configuration: String?, isCheck: Bool) {
    var configuration: String?
    var isCheck = false
    var rest = arguments.dropFirst()
    while let argument = rest.popFirst() {
      switch argument {
      case "--check": isCheck = true
      case "--config" where !rest.isEmpty: configuration = rest.popFirst()
      default:
        let usage = "usage: stackmeter-\(name) [--config FILE] [--check]\n"
        _ = usage.withCString { write(STDERR_FILENO, $0, strlen($0)) }
        exit(argument == "--help" ? 0 : EX_USAGE)
      }
    }
    return (configuration, isCheck)
  }

  private static func stopWithStandardInput() {
    onThread {
      var byte: UInt8 = 0
      while true {
        let count = read(STDIN_FILENO, &byte, 1)
        if count == 0 || (count < 0 && errno != EINTR) { break }
      }
      kill(getpid(), SIGTERM)
    }
  }
}

/// The environment of this process.
package func processEnvironment() -> [String: String] {
  var environment: [String: String] = [:]
  var cursor = environ
  while let entry = cursor.pointee {
    let text = String(cString: entry)
    if let equals = text.firstIndex(of: "=") {
      environment[String(text[..<equals])] = String(text[text.index(after: equals)...])
    }
    cursor += 1
  }
  return environment
}

/// A part of a service that runs until it is told to stop.
package struct StoppablePart: Service {
  private let body: @Sendable () async throws -> Void
  private let stop: @Sendable () -> Void

  /// `stop` makes `run` return soon, also when the task is cancelled because another part has failed. Without
  /// one the task of `run` is cancelled instead.
  package init(
    run body: @escaping @Sendable () async throws -> Void,
    stop: (@Sendable () -> Void)? = nil
  ) {
    if let stop {
      self.body = body
      self.stop = stop
    } else {
      self.body = {
        do {
          try await cancelWhenGracefulShutdown(body)
        } catch is CancellationError {}
      }
      self.stop = {}
    }
  }

  package func run() async throws {
    try await withTaskCancellationHandler {
      try await withGracefulShutdownHandler(operation: body, onGracefulShutdown: stop)
    } onCancel: {
      stop()
    }
  }
}
