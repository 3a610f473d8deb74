import GRPCCore
import StackmeterRPC
import StackmeterTesting
import StackmeterWire
import Testing

@Suite(.timeLimit(.minutes(2))) struct RPCConnectionTests {
  @Test func `a server that is down is unavailable at once`() async throws {
    try await withTemporaryDirectory { directory in
      try await withRPCChannel(socketPath: directory + "/s") { channel in
        let start = ContinuousClock.now
        for _ in 0..<3 {
          let error = await rpcError {
            try await channel.call(EchoMethods.echo, .numbered(1), timeout: callTimeout)
          }
          #expect(error?.code == .unavailable, "\(String(describing: error))")
        }
        #expect(ContinuousClock.now - start < callTimeout / 2)
      }
    }
  }

  @Test func `one connection outlives the server, which may come later and again`() async throws {
    try await withTemporaryDirectory { directory in
      let path = directory + "/s"
      try await withRPCChannel(socketPath: path) { channel in
        for number in 0..<3 as Range<UInt64> {
          let down = await rpcError {
            try await channel.call(EchoMethods.echo, .numbered(number), timeout: callTimeout)
          }
          #expect(down?.code == .unavailable, "\(String(describing: down))")
          try await withServer(path) { _ in
            try await requireAnswer(channel)
            let answer = try await channel.call(
              EchoMethods.echo, .numbered(number), timeout: callTimeout)
            #expect(answer == .numbered(number))
          }
        }
      }
    }
  }

  @Test func `what the body throws comes out, and the connection is closed`() async throws {
    struct Failure: Error {}
    try await withServerAndChannel { _, path in
      _ = await #expect(throws: Failure.self) {
        try await withRPCChannel(socketPath: path) { channel in
          try await requireAnswer(channel)
          throw Failure()
        }
      }
    }
  }
}
