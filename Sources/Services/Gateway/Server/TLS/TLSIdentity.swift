internal import Glibc
internal import Logging
internal import NIOSSL
internal import StackmeterCore
internal import StackmeterRuntime

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
  private let files: ReloadedFiles<NIOSSLContext, SettingsError>

  init(_ files: TLSFiles, clock: any WallClock, logger: Logger) throws(SettingsError) {
    self.files = try ReloadedFiles(
      files.all, clock: clock,
      read: { () throws(SettingsError) in try TLSIdentity.context(files) },
      tell: { result in
        switch result {
        case .success: logger.info("the certificates were read again")
        case .failure(let error):
          logger.error(
            "the certificates cannot be used; the last good ones stay in force",
            metadata: ["error": "\(error)"])
        }
      })
  }

  /// For a connection that begins now.
  func context() -> NIOSSLContext { files.current() }

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
