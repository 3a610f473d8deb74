internal import Logging
internal import StackmeterCore
internal import StackmeterRuntime

/// What callers are known by: the file of API keys, and where it is configured the key set of an identity provider.
struct Credentials {
  let keys: APIKeyFile
  let tokens: TokenVerifier?
  /// The key set where it is behind a URL.
  let keySetURL: KeySetURL?

  /// Throws every problem of what can be read now. A URL is asked later: its server may start after the gateway.
  init(
    _ configuration: GatewayConfiguration, clock: any WallClock, logger: Logger
  ) throws(SettingsError) {
    var problems: [String] = []
    var keys: APIKeyFile?
    do throws(APIKeysError) {
      keys = try APIKeyFile(path: configuration.apiKeysPath, clock: clock, logger: logger)
    } catch {
      problems += error.problems
    }
    var source: (any KeySource)?
    if let tokens = configuration.tokens {
      do throws(VerificationKeysError) {
        source = try Credentials.source(tokens, clock: clock, logger: logger)
      } catch {
        problems.append("gateway.jwt.keys: \(error)")
      }
    }
    guard problems.isEmpty, let keys else { throw SettingsError(problems: problems) }
    self.keys = keys
    keySetURL = source as? KeySetURL
    tokens = source.flatMap { source in
      configuration.tokens.map { TokenVerifier(keys: source, rules: $0.rules, clock: clock) }
    }
  }

  private static func source(
    _ tokens: TokenConfiguration, clock: any WallClock, logger: Logger
  ) throws(VerificationKeysError) -> any KeySource {
    guard KeySetAddress.isURL(tokens.keys) else {
      return try KeySetFile(path: tokens.keys, clock: clock, logger: logger)
    }
    guard let address = KeySetAddress(tokens.keys) else {
      throw VerificationKeysError(description: KeySetAddress.expectation)
    }
    let download = try KeySetDownload(address, trustRoots: tokens.trustRoots)
    return KeySetURL(place: address.text, clock: clock, logger: logger) {
      () async throws(VerificationKeysError) in try await download.content()
    }
  }
}
