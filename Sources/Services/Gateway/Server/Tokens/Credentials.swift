internal import Logging
internal import StackmeterCore
internal import StackmeterRuntime

/// What the configuration names beside addresses and numbers: the file of API keys, the key set of an identity
/// provider, the certificates, and the audit log.
struct Credentials {
  let keys: APIKeyFile
  let tokens: TokenVerifier?
  /// The key set where it is behind a URL.
  let keySetURL: KeySetURL?
  let tls: TLSIdentity?
  let audit: AuditLog?

  /// Throws every problem of what can be read now. A URL is asked later: its server may start after the gateway.
  init(
    _ configuration: GatewayConfiguration, clock: any HostClock, logger: Logger
  ) throws(SettingsError) {
    var problems: [String] = []
    var (tls, audit): (TLSIdentity?, AuditLog?)
    if let files = configuration.tls {
      do throws(SettingsError) {
        tls = try TLSIdentity(files, clock: clock, logger: logger)
      } catch {
        problems += error.problems
      }
    }
    if let directory = configuration.auditDirectory {
      do throws(AuditError) {
        audit = try AuditLog(
          directory: directory, bytesMax: configuration.auditBytesMax, clock: clock)
      } catch {
        problems.append(error.description)
      }
    }
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
    self.tls = tls
    self.audit = audit
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
