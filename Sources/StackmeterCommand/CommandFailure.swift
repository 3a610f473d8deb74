internal import ArgumentParser
internal import GRPCCore
internal import GatewayServer
internal import Glibc
internal import StackmeterRPC
internal import StackmeterRuntime

/// Why a command did not do what it was asked, and the exit code that says so: those of `sysexits.h`.
struct CommandFailure: Error, Equatable, CustomStringConvertible {
  /// Names the thing and what to do. Lower case, without a full stop.
  let message: String
  let exitCode: Int32

  init(_ message: String, exitCode: Int32 = 1) {
    self.message = message
    self.exitCode = exitCode
  }

  var description: String { message }

  /// Something must run and does not.
  static func unavailable(_ message: String) -> CommandFailure {
    CommandFailure(message, exitCode: EX_UNAVAILABLE)
  }

  /// The one table from what the libraries throw to what the user sees.
  init(_ error: any Error) {
    switch error {
    case let error as CommandFailure: self = error
    case let error as SettingsError:
      self.init("wrong settings: \(error)", exitCode: EX_CONFIG)
    case let error as APIKeysError:
      self.init("the API keys: \(error)", exitCode: EX_CONFIG)
    case let error as FileReadError: self.init(error.description, exitCode: EX_NOINPUT)
    case let error as RPCError:
      let code: Int32 =
        switch error.code {
        case .unavailable, .deadlineExceeded, .resourceExhausted, .cancelled: EX_UNAVAILABLE
        case .invalidArgument, .notFound: EX_DATAERR
        default: EX_SOFTWARE
        }
      self.init("\(error.message) (\(error.code))", exitCode: code)
    default: self.init("\(error)")
    }
  }
}

/// Runs a command's body and says on standard error why it failed.
func reportingFailure<Result>(_ body: () async throws -> Result) async throws -> Result {
  do {
    return try await body()
  } catch let error as ExitCode {
    throw error
  } catch let error as ValidationError {
    throw error
  } catch {
    let failure = CommandFailure(error)
    StandardStream.error.write("stackmeter: \(terminalText(failure.message))\n")
    throw ExitCode(failure.exitCode)
  }
}

/// Lends a channel to a service, and says what to do where the service does not answer.
func withService<Result: Sendable>(
  _ service: String, of settings: Settings,
  _ body: @Sendable (any RPCChannel) async throws -> Result
) async throws -> Result {
  let path = settings.socketPath(service)
  do {
    return try await withRPCChannel(socketPath: path, body)
  } catch let error as RPCError where error.code == .unavailable {
    throw CommandFailure.unavailable(
      "\(service) does not answer at \(path) (\(error.message)); start everything with stackmeter up"
    )
  }
}
