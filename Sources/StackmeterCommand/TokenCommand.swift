internal import ArgumentParser
internal import GatewayServer
internal import StackmeterCore
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
    @Option(
      help: ArgumentHelp(
        "operator sees and may do all, tenant sees --subscription, provider the tenants that the "
          + "directory gives it, reporter reports for --source."))
    var role: APIKey.Role
    @Option(name: .customLong("subscription"), help: "A tenant's subscription; may be repeated.")
    var subscriptions: [String] = []
    @Option(help: "A delegated provider's id in the directory of subscriptions.")
    var provider = ""
    @Option(name: .customLong("source"), help: "A reporter's source; may be repeated.")
    var sources: [String] = []
    @Option(
      help: "In place of a token, the name in a client certificate: URI:… or CN:… and the name.")
    var certificate = ""
    @Option(help: "When the key stops working, as 2027-01-01T00:00:00Z; never by default.")
    var expires: String?
    @Option(help: "What the key is for.")
    var note = ""

    func validate() throws {
      for (option, isGiven, owner) in [
        ("--subscription", !subscriptions.isEmpty, APIKey.Role.tenant),
        ("--provider", !provider.isEmpty, .provider), ("--source", !sources.isEmpty, .reporter),
      ] where isGiven != (role == owner) {
        throw ValidationError(
          isGiven
            ? "\(option) is for a \(owner.rawValue)" : "a \(owner.rawValue) needs a \(option)")
      }
      if let expires, Instant(parsing: expires) == nil {
        throw ValidationError("--expires must be a time such as 2027-01-01T00:00:00Z")
      }
    }

    func run() async throws {
      try await reportingFailure {
        let settings = try options.settings()
        let path = settings.apiKeys
        let (key, token) = try APIKeys.create(
          role: role, certificate: certificate, subscriptions: subscriptions, provider: provider,
          sources: sources,
          expires: expires.flatMap { Instant(parsing: $0) }, note: note)
        try await LocalAudit.change(settings, "token create", "\(key.id) \(role.rawValue)") {
          try APIKeys.update(file: path) { (keys) throws(APIKeysError) in try keys.add(key) }
        }
        StandardStream.output.write((token.isEmpty ? key.id : token) + "\n")
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
          .init("ID"), .init("ROLE"), .init("SCOPE"), .init("EXPIRES"), .init("NOTE"),
        ])
        for key in try APIKeys(file: try options.settings().apiKeys).keys {
          let scope =
            switch key.role {
            case .operator: "all"
            case .tenant: key.subscriptions.joined(separator: " ")
            case .provider: key.provider
            case .reporter: key.sources.joined(separator: " ")
            }
          table.append([
            key.id, key.role.rawValue, scope, key.expires?.description ?? "", key.note,
          ])
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
        let settings = try options.settings()
        let path = settings.apiKeys
        // An update would make the file where there is none.
        _ = try APIKeys(file: path)
        try await LocalAudit.change(settings, "token revoke", id) {
          guard try APIKeys.update(file: path, { $0.remove(id: id) }) else {
            throw CommandFailure("\(path): no key has the id \(id)", exitCode: 65)
          }
        }
      }
    }
  }
}

extension APIKey.Role: ExpressibleByArgument {}
