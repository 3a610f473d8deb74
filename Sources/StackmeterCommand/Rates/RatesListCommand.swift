internal import ArgumentParser
internal import QueryClient
internal import StackmeterCore
internal import StackmeterRuntime
internal import StackmeterWire

/// `stackmeter rates list`.
struct RatesListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Show the versions of rate cards that were added.")

  @OptionGroup var options: SettingsOptions

  func run() async throws {
    try await reportingFailure {
      let settings = try options.settings()
      let cards = try await withService("query", of: settings) { channel in
        try await QueryClient(channel).listRateCards(ListRateCardsRequest(caller: .operator))
      }
      StandardStream.output.write(Self.table(cards))
    }
  }

  static func table(_ cards: ListRateCardsResponse) -> String {
    guard !cards.versions.isEmpty else {
      return "there is no rate card yet; add one with stackmeter rates apply\n"
    }
    var table = Table([
      .init("CARD"), .init("VERSION", .decimal), .init("EFFECTIVE"), .init("CURRENCY"),
      .init("SHA-256"), .init("PRICES USAGE"),
    ])
    for version in cards.versions {
      table.append([
        version.name, "\(version.version)", version.effective.description, version.currency,
        version.hash.map { byte in
          let digits = String(byte, radix: 16)
          return digits.utf8.count == 1 ? "0\(digits)" : digits
        }.joined(), version.name == cards.inForce ? "yes" : "no",
      ])
    }
    return table.lines().joined(separator: "\n") + "\n"
  }
}

/// `stackmeter rates show`.
struct RatesShowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Write the text of a version of a rate card, as it was added.")

  @OptionGroup var options: SettingsOptions
  @Option(help: "The name of the card; the one that usage is priced by where it is left out.")
  var name: String?
  @Argument(help: "The number of the version; the one that holds today where it is left out.")
  var version: UInt32?

  func run() async throws {
    try await reportingFailure {
      let settings = try options.settings()
      let request = GetRateCardRequest(
        caller: .operator, name: name ?? "", version: version ?? 0)
      let found = try await withService("query", of: settings) { channel in
        try await QueryClient(channel).rateCard(request)
      }
      StandardStream.output.write(bytes: found.text)
    }
  }
}
