import GRPCCore
import StackmeterRPC
import StackmeterTesting
import StackmeterWire
import Testing

@Suite(.timeLimit(.minutes(2))) struct RPCServerTests {
  @Test func `the socket is for its owner and group, and gone after a stop`() async throws {
    try await withTemporaryDirectory { directory in
      let path = directory + "/run/s"
      try await withServer(path) { _ in
        #expect(mode(path) == 0o660)
        #expect(mode(directory + "/run") == 0o750)
      }
      #expect(!exists(path))
    }
  }

  @Test func `a second server at the same place is refused, and the first goes on`() async throws {
    try await withServerAndChannel { channel, path in
      #expect(throws: ListeningSocketError.inUse(path: path)) {
        _ = try RPCServer(socketPath: path, endpoints: [], logger: LogRecord().logger)
      }
      #expect(
        try await channel.call(EchoMethods.echo, .numbered(1), timeout: callTimeout)
          == .numbered(1))
      try await withRPCChannel(socketPath: path) { try await requireAnswer($0) }
    }
  }

  @Test func `a stop ends streams as unavailable and lets calls under way be answered`()
    async throws
  {
    try await withTemporaryDirectory { directory in
      let path = directory + "/s"
      let endpoint = EchoEndpoint()
      try await withServer(path, endpoint) { server in
        try await withRPCChannel(socketPath: path) { channel in
          try await requireAnswer(channel)
          async let answer = channel.call(
            EchoMethods.hang, GetStatusRequest(), timeout: callTimeout)
          for await _ in endpoint.arrivals { break }
          let error = await rpcError {
            try await channel.serverStreaming(
              EchoMethods.count, ReadJournalRequest(fromPosition: 1, follow: true),
              timeout: callTimeout
            ) { messages in
              for try await _ in messages { server.stop() }
            }
          }
          #expect(error?.code == .unavailable && error?.message == "the service is stopping")
          endpoint.release.raise()
          #expect(try await answer == GetStatusRequest())
        }
      }
      #expect(!exists(path))
    }
  }

  @Test func `a call that does not end is cut off when the time to drain is over`() async throws {
    try await withTemporaryDirectory { directory in
      let path = directory + "/s"
      let endpoint = EchoEndpoint()
      let start = ContinuousClock.now
      try await withRPCChannel(socketPath: path) { channel in
        let call = try await withServer(path, endpoint) { _ in
          try await requireAnswer(channel)
          let call = Task {
            await rpcError {
              try await channel.call(
                EchoMethods.hang, GetStatusRequest(), timeout: .seconds(60))
            }
          }
          for await _ in endpoint.arrivals { break }
          return call
        }
        #expect(ContinuousClock.now - start < RPCLimits.drainMax * 4)
        // Cancelled on the server; it may still have been able to answer.
        _ = await call.value
      }
      #expect(!exists(path))
    }
  }

  @Test func `a server that is stopped before it runs ends at once without an error`()
    async throws
  {
    try await withTemporaryDirectory { directory in
      let path = directory + "/s"
      let server = try RPCServer(
        socketPath: path, endpoints: [EchoEndpoint()], logger: LogRecord().logger)
      server.stop()
      try await server.run()
      #expect(!exists(path))
      // The place is free again.
      try await withServer(path) { _ in }
    }
  }

  @Test func `a server that is cancelled ends and leaves its place`() async throws {
    try await withTemporaryDirectory { directory in
      let path = directory + "/s"
      let server = try RPCServer(
        socketPath: path, endpoints: [EchoEndpoint()], logger: LogRecord().logger)
      let run = Task { try await server.run() }
      try await withRPCChannel(socketPath: path) { try await requireAnswer($0) }
      run.cancel()
      _ = await run.result
      #expect(!exists(path))
    }
  }
}
