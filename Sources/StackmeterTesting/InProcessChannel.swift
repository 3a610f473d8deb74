internal import GRPCCore
internal import GRPCInProcessTransport
package import Logging
package import StackmeterRPC

/// Lends a channel to endpoints in this process: real gRPC and real messages, without a socket.
package func withInProcessChannel<Result: Sendable>(
  endpoints: [any RPCEndpoint], logger: Logger = Logger(label: "test"),
  _ body: (any RPCChannel) async throws -> Result
) async throws -> Result {
  let transport = InProcessTransport()
  let server = GRPCServer(
    transport: transport.server, router: .serving(endpoints, logger: logger))
  return try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask { try await server.serve() }
    let result = try await withGRPCClient(transport: transport.client) { client in
      try await body(GRPCChannel(client))
    }
    server.beginGracefulShutdown()
    try await group.waitForAll()
    return result
  }
}
