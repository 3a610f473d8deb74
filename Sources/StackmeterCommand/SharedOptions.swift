internal import ArgumentParser
internal import StackmeterRuntime

/// Where Stackmeter is: what every command takes.
struct SettingsOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The settings file. Also STACKMETER_CONFIG; variables such as STACKMETER_RUN_DIRECTORY override it.",
      valueName: "file"))
  var config: String?

  func settings() throws -> Settings {
    try ServiceProgram.loadSettings(config)
  }
}

/// How an answer is written.
enum OutputFormat {
  case table
  case json
  case csv
}
