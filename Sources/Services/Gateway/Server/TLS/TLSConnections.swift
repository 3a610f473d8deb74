internal import Hummingbird
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import NIOSSL
internal import StackmeterCore

/// Puts TLS in front of HTTP on every connection, with what the identity has when the connection begins.
struct TLSConnections<Base: ServerChildChannel>: ServerChildChannel {
  typealias Value = Base.Value

  let base: Base
  let identity: TLSIdentity

  func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
    channel.eventLoop.makeCompletedFuture {
      try channel.pipeline.syncOperations.addHandler(
        NIOSSLServerHandler(context: identity.context()))
    }.flatMap {
      base.setup(channel: channel, logger: logger)
    }
  }

  func handle(value: Value, logger: Logger) async {
    await base.handle(value: value, logger: logger)
  }
}

/// A request, and the connection that it came by.
struct GatewayContext: RequestContext {
  var coreContext: CoreRequestContextStorage
  let channel: any Channel

  init(source: Source) {
    coreContext = CoreRequestContextStorage(source: source)
    channel = source.channel
  }

  /// The names of the certificate that the client has proved to have; none without TLS or a certificate.
  func certificateNames(now: Instant) async -> [String] {
    guard let certificate = try? await channel.nioSSL_peerCertificate().get(),
      let names = try? CertificateNames(certificate, now: now)
    else { return [] }
    return names.all
  }
}
