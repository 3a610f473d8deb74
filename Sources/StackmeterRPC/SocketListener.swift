internal import GRPCNIOTransportHTTP2Posix
internal import NIOCore
internal import NIOPosix

/// Takes the connections of a listening socket, in plain text.
///
/// The library's own listener looks for the certificate of the peer with every call; a Unix socket has none.
struct SocketListener: HTTP2ServerTransport.ListenerFactory {
  /// Closed by the listening channel.
  let descriptor: Int32
  let eventLoopGroup: any EventLoopGroup

  func makeListeningChannel(
    listenerConfigurator: HTTP2ServerTransport.ListenerConfigurator,
    connectionConfigurator: HTTP2ServerTransport.ConnectionConfigurator
  ) async throws -> NIOAsyncChannel<
    HTTP2ServerTransport.ConnectionConfigurator.ConnectionChannel, Never
  > {
    try await ServerBootstrap(group: eventLoopGroup)
      .serverChannelInitializer { listenerConfigurator.configure(channel: $0) }
      .bind(descriptor) { connectionConfigurator.configure(channel: $0, tls: .none) }
  }
}
