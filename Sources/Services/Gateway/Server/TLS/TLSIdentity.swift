internal import Glibc
internal import Logging
internal import NIOSSL
internal import StackmeterCore
internal import StackmeterRuntime
internal import Synchronization

/// The files that HTTPS is served with.
package struct TLSFiles: Hashable, Sendable {
  /// The certificate and those between it and its authority, as PEM.
  package var certificate: String
  /// Its private key, as PEM.
  package var key: String
  /// The authorities whose client certificates are taken, as PEM; empty where none are asked for.
  package var clientAuthorities: String
  /// Whether every client must have a certificate, or may have a token instead.
  package var requiresClientCertificate: Bool

  package init(
    certificate: String, key: String, clientAuthorities: String = "",
    requiresClientCertificate: Bool = false
  ) {
    self.certificate = certificate
    self.key = key
    self.clientAuthorities = clientAuthorities
    self.requiresClientCertificate = requiresClientCertificate
  }

  var all: [String] { [certificate, key, clientAuthorities].filter { !$0.isEmpty } }
}

/// What the gateway shows to clients of HTTPS, and whom it believes: TLS 1.2 and 1.3, by files that are read again
/// when they have changed. Connections that are there go on with what they have.
///
/// Files that cannot be used at the start are an error. Ones that break later leave the last good ones in force, and
/// are logged once for each change.
final class TLSIdentity: Sendable {
  private struct State {
    var context: NIOSSLContext
    var versions: [FileVersion?]
    var checked: Instant
  }

  private let files: TLSFiles
  private let clock: any WallClock
  private let logger: Logger
  private let state: Mutex<State>

  init(_ files: TLSFiles, clock: any WallClock, logger: Logger) throws(SettingsError) {
    self.files = files
    self.clock = clock
    self.logger = logger
    let versions = files.all.map { FileVersion($0) }
    state = Mutex(
      State(
        context: try TLSIdentity.context(files), versions: versions, checked: clock.now()))
  }

  /// For a connection that begins now.
  func context() -> NIOSSLContext {
    let now = clock.now()
    return state.withLock { state in
      let age = now - state.checked
      guard age >= APIKeyFile.checkInterval || age < .zero else { return state.context }
      state.checked = now
      let versions = files.all.map { FileVersion($0) }
      guard versions != state.versions else { return state.context }
      state.versions = versions
      do throws(SettingsError) {
        state.context = try TLSIdentity.context(files)
        logger.info("the certificates were read again")
      } catch {
        logger.error(
          "the certificates cannot be used; the last good ones stay in force",
          metadata: ["error": "\(error)"])
      }
      return state.context
    }
  }

  private static func context(_ files: TLSFiles) throws(SettingsError) -> NIOSSLContext {
    var status = stat()
    if stat(files.key, &status) == 0, status.st_mode & 0o007 != 0 {
      throw SettingsError(problems: [
        "\(files.key): everybody may read or write it; run chmod o= \(files.key)"
      ])
    }
    func problem(_ name: String, _ path: String, _ error: any Error) -> SettingsError {
      SettingsError(problems: ["gateway.tls.\(name): cannot use \(path): \(error)"])
    }
    let chain: [NIOSSLCertificateSource]
    do {
      chain = try NIOSSLCertificate.fromPEMFile(files.certificate).map { .certificate($0) }
    } catch {
      throw problem("certificate", files.certificate, error)
    }
    let key: NIOSSLPrivateKey
    do {
      key = try NIOSSLPrivateKey(file: files.key, format: .pem)
    } catch {
      throw problem("key", files.key, error)
    }
    var configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: chain, privateKey: .privateKey(key))
    configuration.minimumTLSVersion = .tlsv12
    configuration.applicationProtocols = ["http/1.1"]
    if !files.clientAuthorities.isEmpty {
      do {
        let authorities = try NIOSSLCertificate.fromPEMFile(files.clientAuthorities)
        configuration.trustRoots = .certificates(authorities)
      } catch {
        throw problem("clientAuthorities", files.clientAuthorities, error)
      }
      configuration.certificateVerification =
        files.requiresClientCertificate ? .noHostnameVerification : .optionalVerification
    }
    do {
      return try NIOSSLContext(configuration: configuration)
    } catch {
      throw problem("certificate", "\(files.certificate) with \(files.key)", error)
    }
  }
}
