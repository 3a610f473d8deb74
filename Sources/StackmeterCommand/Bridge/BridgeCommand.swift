internal import ArgumentParser
internal import BridgeClient
internal import StackmeterCore
internal import StackmeterRuntime
internal import StackmeterWire

/// `stackmeter bridge`.
struct BridgeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bridge", abstract: "Report usage to a remote commerce service.",
    discussion: """
      Without a registration nothing is read and nothing is sent. With one, every closed reporting window's usage of \
      billable meters is collected, and sent as the registration's model says.
      """,
    subcommands: [
      BridgeStatusCommand.self, BridgeRegisterCommand.self, BridgeUnregisterCommand.self,
      BridgePauseCommand.self, BridgeResumeCommand.self, BridgeResendCommand.self,
      BridgeDeadLettersCommand.self, BridgeReceiptsCommand.self,
    ], defaultSubcommand: BridgeStatusCommand.self)

  /// Has the bridge do something, in the audit log.
  static func control(
    _ options: SettingsOptions, _ operation: String, _ request: ControlBridgeRequest
  ) async throws -> UInt64 {
    let settings = try options.settings()
    return try await LocalAudit.change(settings, "bridge \(operation)") {
      try await withService("bridge", of: settings) { channel in
        try await BridgeClient(channel).control(request)
      }
    }
  }
}

/// `stackmeter bridge register`.
struct BridgeRegisterCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "register",
    abstract: "Register with a commerce service, or change the registration.",
    discussion: """
      The file is a JSON object with site, model (payAsYouUse, capacity, development or disconnected), endpoint, key, \
      and where wanted expires, from, meters, customers, defaultCustomer, trustRoots and directory. The bridge keeps \
      it where only its user can read it. What waits to be sent stays. Exits with 65 where something is wrong; nothing \
      is changed then.
      """)

  @OptionGroup var options: SettingsOptions
  @Flag(help: "Only say what is wrong with it.")
  var dryRun = false
  @Argument(help: "The registration.")
  var file: String

  func run() async throws {
    try await reportingFailure {
      let settings = try options.settings()
      let document = try fileContent(file, bytesMax: 1 << 20)
      let request = RegisterBridgeRequest(document: document, isDryRun: dryRun)
      let register = { () async throws -> BridgeStatus in
        try await withService("bridge", of: settings) { channel in
          try await BridgeClient(channel).register(request)
        }
      }
      if dryRun {
        _ = try await register()
        StandardStream.output.write("\(terminalText(file)): is good; nothing was changed\n")
      } else {
        let status = try await LocalAudit.change(settings, "bridge register", nil, register)
        StandardStream.output.write(BridgeText(status).text())
      }
    }
  }
}

/// `stackmeter bridge unregister`.
struct BridgeUnregisterCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unregister", abstract: "Forget the registration.",
    discussion: """
      What waits to be sent is kept, and so is how far usage was read: a new registration goes on from there.
      """)

  @OptionGroup var options: SettingsOptions

  func run() async throws {
    try await reportingFailure {
      _ = try await BridgeCommand.control(options, "unregister", .unregister)
      StandardStream.output.write("unregistered; nothing is read and nothing is sent\n")
    }
  }
}

/// `stackmeter bridge pause`.
struct BridgePauseCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pause", abstract: "Send nothing until it is resumed; usage is still collected.")

  @OptionGroup var options: SettingsOptions

  func run() async throws {
    try await reportingFailure {
      _ = try await BridgeCommand.control(options, "pause", .pause)
      StandardStream.output.write("paused; usage is collected and not sent\n")
    }
  }
}

/// `stackmeter bridge resume`.
struct BridgeResumeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resume", abstract: "Send again, and at once.")

  @OptionGroup var options: SettingsOptions

  func run() async throws {
    try await reportingFailure {
      _ = try await BridgeCommand.control(options, "resume", .resume)
      StandardStream.output.write("resumed\n")
    }
  }
}

/// `stackmeter bridge resend`.
struct BridgeResendCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resend", abstract: "Send windows, or dead letters, once more.",
    discussion: """
      What the commerce service has already is a duplicate there: nothing counts twice. Windows are read anew, by the \
      mappings of now.
      """)

  @OptionGroup var options: SettingsOptions
  @Option(help: "The first reporting window: a day, or a time on the hour.")
  var from: String?
  @Option(help: "Before this reporting window.")
  var to: String?
  @Flag(help: "All dead letters.")
  var deadLetters = false
  @Argument(help: "The numbers of dead letters.")
  var numbers: [UInt64] = []

  func validate() throws {
    let choices = [from != nil || to != nil, deadLetters, !numbers.isEmpty].filter(\.self).count
    guard choices == 1, (from == nil) == (to == nil) else {
      throw ValidationError("name --from and --to, or --dead-letters, or numbers of dead letters")
    }
  }

  func run() async throws {
    try await reportingFailure {
      if let from, let to {
        let windows = (
          try UsagePeriod.hour(from, option: "--from"), try UsagePeriod.hour(to, option: "--to")
        )
        guard windows.0 < windows.1 else {
          throw CommandFailure("--to: must be after --from", exitCode: 64)
        }
        let count = try await BridgeCommand.control(
          options, "resend", .resendWindows(windows.0..<windows.1))
        StandardStream.output.write("\(count) windows are sent again\n")
      } else {
        let count = try await BridgeCommand.control(
          options, "resend", .resendDeadLetters(numbers))
        StandardStream.output.write("\(count) dead letters are sent again\n")
      }
    }
  }
}

/// `stackmeter bridge receipts`.
struct BridgeReceiptsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "receipts",
    abstract: "Take what the commerce service answered to files that were carried there.",
    discussion: "For the model disconnected. May be repeated.")

  @OptionGroup var options: SettingsOptions
  @Argument(help: "The receipts.")
  var files: [String]

  func run() async throws {
    try await reportingFailure {
      for file in files {
        let receipt = try fileContent(file, bytesMax: 4 << 20)
        let count = try await BridgeCommand.control(
          options, "receipts", .importReceipt(receipt))
        StandardStream.output.write("\(terminalText(file)): \(count) records\n")
      }
    }
  }
}
