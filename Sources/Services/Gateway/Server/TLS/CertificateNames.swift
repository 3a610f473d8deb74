internal import NIOSSL
internal import StackmeterCore
internal import SwiftASN1
internal import X509

/// What a client's certificate calls its owner, as key files have it: `URI:` and each URI among its alternative names,
/// else `CN:` and the common name of its subject.
struct CertificateNames {
  let all: [String]

  /// Empty where the certificate's time has passed since the connection began.
  init(_ certificate: NIOSSLCertificate, now: Instant) throws {
    let seconds = now.nanoseconds.flooredDivision(by: Instant.nanosecondsPerSecond)
    guard
      (Int64(certificate.notValidBefore)...Int64(certificate.notValidAfter)).contains(seconds)
    else {
      all = []
      return
    }
    let parsed = try Certificate(derEncoded: certificate.toDERBytes())
    let alternatives = try parsed.extensions.subjectAlternativeNames
    let uris = alternatives?.compactMap { name in
      if case .uniformResourceIdentifier(let uri) = name { "URI:\(uri)" } else { nil }
    }
    if let uris, !uris.isEmpty {
      all = uris
      return
    }
    let common = parsed.subject.flatMap { $0 }
      .filter { $0.type == .RDNAttributeType.commonName }
      .compactMap { String($0.value) }
    all = common.count == 1 ? ["CN:\(common[0])"] : []
  }
}
