internal import ArgumentParser
internal import QueryClient
internal import StackmeterCore
internal import StackmeterRuntime
internal import StackmeterWire

/// `stackmeter subscriptions`.
struct SubscriptionsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "subscriptions",
    abstract: "Show whom usage is counted for, and check the directory's file.",
    discussion: """
      The aggregator reads the directory, the file of the setting subscriptions, when it starts and within a minute \
      of a change. A subscription that has usage and stands in no directory is unassigned; its usage is counted \
      all the same.
      """,
    subcommands: [SubscriptionsListCommand.self, SubscriptionsCheckCommand.self],
    defaultSubcommand: SubscriptionsListCommand.self)
}

/// `stackmeter subscriptions list`.
struct SubscriptionsListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "Show the subscriptions of the directory, and those that have usage.")

  @OptionGroup var options: SettingsOptions
  @Flag(help: "One JSON object on each line.")
  var json = false

  func run() async throws {
    try await reportingFailure {
      let settings = try options.settings()
      let subscriptions = try await withService("query", of: settings) { channel in
        try await Self.all(QueryClient(channel))
      }
      StandardStream.output.write(
        bytes: json ? Self.json(subscriptions) : Array(Self.table(subscriptions).utf8))
    }
  }

  private static func all(_ query: QueryClient) async throws -> [Subscription] {
    var subscriptions: [Subscription] = []
    var request = ListSubscriptionsRequest(caller: .operator)
    repeat {
      let page = try await query.listSubscriptions(request)
      subscriptions += page.subscriptions
      request.after = page.nextAfter
    } while !request.after.isEmpty
    return subscriptions
  }

  static func table(_ subscriptions: [Subscription]) -> String {
    guard !subscriptions.isEmpty else { return "there is no subscription yet\n" }
    var table = Table([
      .init("SUBSCRIPTION"), .init("NAME"), .init("OWNER"), .init("COST CENTER"), .init("STATE"),
    ])
    for subscription in subscriptions {
      table.append([
        subscription.id, subscription.displayName, subscription.owner, subscription.costCenter,
        subscription.state.rawValue,
      ])
    }
    return table.lines().joined(separator: "\n") + "\n"
  }

  static func json(_ subscriptions: [Subscription]) -> [UInt8] {
    subscriptions.flatMap { subscription -> [UInt8] in
      var writer = JSONWriter()
      writer.subscription(subscription)
      return writer.bytes + [UInt8(ascii: "\n")]
    }
  }
}

/// `stackmeter subscriptions check`.
struct SubscriptionsCheckCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Say everything that is wrong with a directory's file.",
    discussion: "Exits with 65 where something is.")

  private static let exitCode: Int32 = 65

  @Argument(help: "The file.")
  var file: String

  func run() async throws {
    try await reportingFailure {
      let content = try fileContent(file, bytesMax: SubscriptionLimits.fileBytesMax)
      do throws(SubscriptionDirectoryError) {
        let directory = try SubscriptionDirectory(json: content)
        StandardStream.output.write("\(directory.subscriptions.count) subscriptions, all good\n")
      } catch {
        for problem in error.problems {
          StandardStream.error.write("\(terminalText("\(file): \(problem)"))\n")
        }
        throw ExitCode(Self.exitCode)
      }
    }
  }
}
