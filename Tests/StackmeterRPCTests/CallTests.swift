import GRPCCore
import StackmeterRPC
import StackmeterTesting
import StackmeterWire
import Testing

@Suite(.timeLimit(.minutes(2))) struct CallTests {
  @Test func `one request has one response`() async throws {
    try await withServerAndChannel { channel, _ in
      for number in 0..<50 as Range<UInt64> {
        let answer = try await channel.call(
          EchoMethods.echo, .numbered(number), timeout: callTimeout)
        #expect(answer == .numbered(number))
      }
    }
  }

  @Test func `one request has many responses, in order`() async throws {
    try await withServerAndChannel { channel, _ in
      let positions = try await channel.serverStreaming(
        EchoMethods.count, ReadJournalRequest(fromPosition: 500, follow: false),
        timeout: callTimeout
      ) { messages in
        try await messages.reduce(into: []) { $0.append($1.nextPosition) }
      }
      #expect(positions == Array(0..<500))
    }
  }

  @Test func `many requests have many responses at the same time`() async throws {
    try await withServerAndChannel { channel, _ in
      // Each request but the first waits for the answer to the one before it.
      let (turns, turn) = AsyncStream.makeStream(of: UInt64.self)
      turn.yield(0)
      let answers = try await channel.bidirectional(
        EchoMethods.exchange, timeout: callTimeout,
        produce: { writer in
          for await number in turns { try await writer.write(.numbered(number)) }
        },
        consume: { messages in
          var answers: [UInt64] = []
          for try await message in messages {
            answers.append(message.nextPosition)
            if answers.count < 100 {
              turn.yield(UInt64(answers.count))
            } else {
              turn.finish()
            }
          }
          return answers
        })
      #expect(answers == Array(0..<100))
    }
  }

  @Test func `a message of nearly 4 MiB passes both ways, a larger one is refused`() async throws {
    try await withServerAndChannel { channel, _ in
      @Sendable func chunk(_ count: Int) -> JournalChunk {
        JournalChunk(
          records: Array(repeating: 7, count: count), nextPosition: 1, durablePosition: 1,
          journalID: 0)
      }
      let largest = RPCLimits.messageBytesMax - 16
      let answer = try await channel.call(EchoMethods.echo, chunk(largest), timeout: callTimeout)
      #expect(answer.records.count == largest)
      let request = await rpcError {
        try await channel.call(
          EchoMethods.echo, chunk(RPCLimits.messageBytesMax + 1), timeout: callTimeout)
      }
      #expect(request?.code == .outOfRange, "\(String(describing: request))")
      let streamed = await rpcError {
        try await channel.bidirectional(
          EchoMethods.exchange, timeout: callTimeout,
          produce: { try await $0.write(chunk(RPCLimits.messageBytesMax + 1)) },
          consume: { messages in for try await _ in messages {} })
      }
      #expect(streamed?.code == .outOfRange, "\(String(describing: streamed))")
      let response = await rpcError {
        try await channel.call(
          EchoMethods.inflate,
          ReadJournalRequest(fromPosition: UInt64(RPCLimits.messageBytesMax), follow: false),
          timeout: callTimeout)
      }
      #expect(response?.code == .outOfRange, "\(String(describing: response))")
      #expect(
        try await channel.call(EchoMethods.echo, .numbered(1), timeout: callTimeout)
          == .numbered(1))
    }
  }

  @Test func `a call that is not answered ends at its deadline`() async throws {
    let endpoint = EchoEndpoint()
    try await withServerAndChannel(endpoint) { channel, _ in
      let error = await rpcError {
        try await channel.call(
          EchoMethods.hang, GetStatusRequest(), timeout: .milliseconds(100))
      }
      #expect(error?.code == .deadlineExceeded)
      let stream = await rpcError {
        try await channel.serverStreaming(
          EchoMethods.count, ReadJournalRequest(fromPosition: 1, follow: true),
          timeout: .milliseconds(100)
        ) { messages in for try await _ in messages {} }
      }
      #expect(stream?.code == .deadlineExceeded)
    }
  }

  @Test func `a caller that is cancelled hears so`() async throws {
    let endpoint = EchoEndpoint()
    try await withServerAndChannel(endpoint) { channel, _ in
      let call = Task {
        await rpcError {
          try await channel.call(EchoMethods.hang, GetStatusRequest(), timeout: callTimeout)
        }
      }
      for await _ in endpoint.arrivals { break }
      call.cancel()
      let during = await call.value
      #expect(during?.code == .cancelled, "\(String(describing: during))")
      let before = Task {
        withUnsafeCurrentTask { $0?.cancel() }
        return await rpcError {
          try await channel.call(EchoMethods.hang, GetStatusRequest(), timeout: callTimeout)
        }
      }
      let earlier = await before.value
      #expect(earlier?.code == .cancelled, "\(String(describing: earlier))")
    }
  }

  @Test func `calls past the limit are refused at once, and taken again later`() async throws {
    let endpoint = EchoEndpoint()
    try await withServerAndChannel(endpoint, callsInFlightMax: 2) { channel, _ in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<2 {
          group.addTask {
            _ = try await channel.call(
              EchoMethods.hang, GetStatusRequest(), timeout: callTimeout)
          }
        }
        var arrivals = endpoint.arrivals.makeAsyncIterator()
        for _ in 0..<2 { await arrivals.next() }
        let start = ContinuousClock.now
        let call = await rpcError {
          try await channel.call(EchoMethods.echo, .numbered(1), timeout: callTimeout)
        }
        let stream = await rpcError {
          try await channel.serverStreaming(
            EchoMethods.count, ReadJournalRequest(fromPosition: 1, follow: false),
            timeout: callTimeout
          ) { messages in for try await _ in messages {} }
        }
        #expect(call?.code == .resourceExhausted && stream?.code == .resourceExhausted)
        #expect(call?.message == "2 calls are in flight already; retry after a pause")
        #expect(ContinuousClock.now - start < callTimeout / 2)
        endpoint.release.raise()
        try await group.waitForAll()
      }
      #expect(
        try await channel.call(EchoMethods.echo, .numbered(2), timeout: callTimeout)
          == .numbered(2))
    }
  }

  @Test func `an error that a service chose reaches the caller, any other is kept inside`()
    async throws
  {
    let log = LogRecord()
    try await withServerAndChannel(log: log) { channel, _ in
      func error(_ kind: String) async -> RPCError? {
        await rpcError {
          try await channel.call(
            EchoMethods.fail, HealthCheckRequest(service: kind), timeout: callTimeout)
        }
      }
      let status = await error("status")
      #expect(status?.code == .aborted && status?.message == "said so")
      let mapped = await error("mapped")
      #expect(mapped?.code == .failedPrecondition && mapped?.message == "mapped")
      #expect(await error("cancelled")?.code == .cancelled)
      #expect(log.lines.isEmpty)
      let inside = await error("other")
      #expect(inside?.code == .internalError)
      #expect(inside?.message == "the call failed; the service's log has more")
      #expect(log.lines.count == 1)
      #expect(log.lines.first?.contains("secret of the inside") == true)
      #expect(log.lines.first?.contains("stackmeter.test.Echo/Fail") == true)
    }
  }

  @Test func `health is told for each service and for the whole`() async throws {
    try await withServerAndChannel { channel, _ in
      for service in ["", EchoMethods.service] {
        let answer = try await channel.call(
          HealthCalls.check, HealthCheckRequest(service: service), timeout: callTimeout)
        #expect(answer.status == .serving, "\(service)")
      }
      let error = await rpcError {
        try await channel.call(
          HealthCalls.check, HealthCheckRequest(service: "x.Y"), timeout: callTimeout)
      }
      #expect(error?.code == .notFound && error?.message == "no service \"x.Y\" is here")
    }
  }

  @Test(
    arguments: [("", .serving), ("x.Y", .serviceUnknown)] as [(String, HealthCheckResponse.Status)])
  func `health can be watched`(service: String, expected: HealthCheckResponse.Status) async throws {
    try await withServerAndChannel { channel, _ in
      let first = try await channel.serverStreaming(
        HealthCalls.watch, HealthCheckRequest(service: service), timeout: callTimeout
      ) { messages in
        for try await message in messages { return message.status as HealthCheckResponse.Status? }
        return nil
      }
      #expect(first == expected)
    }
  }
}
