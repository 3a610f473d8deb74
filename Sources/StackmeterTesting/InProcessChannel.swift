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
  let client = GRPCClient(transport: transport.client)
  return try await withThrowingTaskGroup(of: Void.self) { group in
    // A body may be over before either has begun; then there is nothing to run.
    group.addTask {
      do {
        try await server.serve()
      } catch let error as RuntimeError where error.code == .serverIsStopped {}
    }
    group.addTask {
      do {
        try await client.runConnections()
      } catch let error as RuntimeError where error.code == .clientIsStopped {}
    }
    let result = try await body(GRPCChannel(client, over: transport.client))
    client.beginGracefulShutdown()
    server.beginGracefulShutdown()
    try await group.waitForAll()
    return result
  }
}
