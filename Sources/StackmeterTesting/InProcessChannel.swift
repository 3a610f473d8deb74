internal import GRPCCore
internal import GRPCInProcessTransport
package import Logging
package import StackmeterRPC

/// Lends a channel to a server in this process, with the coding, limits and error tables of the real one.
package func withInProcessChannel<Result: Sendable>(
  endpoints: [any RPCEndpoint], logger: Logger = Logger(label: "test"),
  _ body: @Sendable (any RPCChannel) async throws -> Result
) async throws -> Result {
  let transport = InProcessTransport()
  let server = GRPCServer(
    transport: transport.server, router: .serving(endpoints, logger: logger))
  let client = GRPCClient(transport: transport.client)
  return try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask { try await server.serve() }
    group.addTask { try await client.runConnections() }
    defer {
      client.beginGracefulShutdown()
      server.beginGracefulShutdown()
    }
    return try await body(GRPCChannel(client))
  }
}
