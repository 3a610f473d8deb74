import Crypto
import Foundation
import NIOSSL
import SwiftASN1
import X509

/// Certificates of tests: an authority and what it signs.
struct TestAuthority {
  let key = P256.Signing.PrivateKey()
  let certificate: Certificate

  init(_ name: String) throws {
    certificate = try TestAuthority.certificate(
      subject: name, key: key, issuer: name, issuerKey: key, isAuthority: true)
  }

  /// A certificate and its key as PEM. `days` are those until it ends, which may be past.
  func issue(
    _ name: String, uri: String? = nil, days: Double = 1
  ) throws -> (certificate: String, key: String) {
    let own = P256.Signing.PrivateKey()
    let issued = try TestAuthority.certificate(
      subject: name, key: own, issuer: nil, issuerName: certificate.subject, issuerKey: key,
      uri: uri, days: days)
    return (try issued.serializeAsPEM().pemString, own.pemRepresentation)
  }

  var pem: String { get throws { try certificate.serializeAsPEM().pemString } }

  /// One that nobody but itself has signed.
  static func selfSigned(_ name: String) throws -> (certificate: String, key: String) {
    let key = P256.Signing.PrivateKey()
    let issued = try certificate(subject: name, key: key, issuer: name, issuerKey: key)
    return (try issued.serializeAsPEM().pemString, key.pemRepresentation)
  }

  private static func certificate(
    subject: String, key: P256.Signing.PrivateKey, issuer: String?,
    issuerName: DistinguishedName? = nil, issuerKey: P256.Signing.PrivateKey,
    isAuthority: Bool = false, uri: String? = nil, days: Double = 1
  ) throws -> Certificate {
    let subjectName = try DistinguishedName { CommonName(subject) }
    let names: [GeneralName] =
      uri.map { [.uniformResourceIdentifier($0)] }
      ?? [.dnsName("localhost"), .ipAddress(ASN1OctetString(contentBytes: [127, 0, 0, 1]))]
    return try Certificate(
      version: .v3, serialNumber: Certificate.SerialNumber(),
      publicKey: Certificate.PublicKey(key.publicKey),
      notValidBefore: Date().addingTimeInterval(-30 * 86_400),
      notValidAfter: Date().addingTimeInterval(days * 86_400),
      issuer: try issuerName ?? DistinguishedName { CommonName(issuer ?? "") },
      subject: subjectName, signatureAlgorithm: .ecdsaWithSHA256,
      extensions: try Certificate.Extensions {
        if isAuthority {
          Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
          KeyUsage(keyCertSign: true)
        } else {
          SubjectAlternativeNames(names)
        }
      },
      issuerPrivateKey: Certificate.PrivateKey(issuerKey))
  }
}
