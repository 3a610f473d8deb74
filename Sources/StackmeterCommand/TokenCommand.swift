internal import ArgumentParser
internal import GatewayServer
internal import StackmeterRuntime

/// `stackmeter token`.
struct TokenCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "token", abstract: "Make, list and revoke the gateway's API keys.",
    subcommands: [Create.self, List.self, Revoke.self])

  /// `stackmeter token create`: prints the token, which is nowhere else: the file has its hash only.
  struct Create: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "create", abstract: "Make a key and print its token, this once.")

    @OptionGroup var options: SettingsOptions
    @Option(help: "operator sees every subscription, tenant those of --subscription.")
    var role: APIKey.Role
    @Option(name: .customLong("subscription"), help: "A tenant's subscription; may be repeated.")
    var subscriptions: [String] = []
    @Option(help: "What the key is for.")
    var note = ""

    func validate() throws {
      switch role {
      case .operator:
        if !subscriptions.isEmpty {
          throw ValidationError("--subscription is for tenants; an operator sees all")
        }
      case .tenant:
        if subscriptions.isEmpty { throw ValidationError("a tenant needs a --subscription") }
      }
    }

    func run() async throws {
      try await reportingFailure {
        let path = try options.settings().apiKeys
        let (key, token) = try APIKeys.create(
          role: role, subscriptions: subscriptions, note: note)
        try APIKeys.update(file: path) { (keys) throws(APIKeysError) in try keys.add(key) }
        StandardStream.output.write(token + "\n")
      }
    }
  }

  /// `stackmeter token list`.
  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "Show the keys; nobody can show their tokens.")

    @OptionGroup var options: SettingsOptions

    func run() async throws {
      try await reportingFailure {
        var table = Table([
          .init("ID"), .init("ROLE"), .init("SUBSCRIPTIONS"), .init("NOTE"),
        ])
        for key in try APIKeys(file: try options.settings().apiKeys).keys {
          let seen = key.role == .operator ? "all" : key.subscriptions.joined(separator: " ")
          table.append([key.id, key.role.rawValue, seen, key.note])
        }
        StandardStream.output.write(table.lines().joined(separator: "\n") + "\n")
      }
    }
  }

  /// `stackmeter token revoke`.
  struct Revoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "revoke", abstract: "Remove a key.")

    @OptionGroup var options: SettingsOptions
    @Argument(help: "The key's id, as stackmeter token list shows it.")
    var id: String

    func run() async throws {
      try await reportingFailure {
        let path = try options.settings().apiKeys
        // An update would make the file where there is none.
        _ = try APIKeys(file: path)
        let isRemoved = try APIKeys.update(file: path) { $0.remove(id: id) }
        guard isRemoved else {
          throw CommandFailure("\(path): no key has the id \(id)", exitCode: 65)
        }
      }
    }
  }
}

extension APIKey.Role: ExpressibleByArgument {}
