import CollectorClient
import GRPCCore
import StackmeterCore
import StackmeterJournal
import StackmeterTesting
import StackmeterWire
import Testing

@testable import CollectorServer

@Suite(.timeLimit(.minutes(1))) struct CollectorEndpointTests {
  private let timeout: Duration = .seconds(30)

  private func withClient<Result: Sendable>(
    _ disk: SimulatedDisk = SimulatedDisk(),
    _ body: @Sendable (CollectorClient) async throws -> Result
  ) async throws -> Result {
    try await withCollector(disk) { collector in
      try await withInProcessChannel(endpoints: [CollectorEndpoint(collector)]) { channel in
        try await body(CollectorClient(channel))
      }
    }
  }

  @Test func `results come in the order of the request, whatever the sources`() async throws {
    try await withClient { client in
      let events = (0..<9).map { number in
        Fixture.event(
          "\(number)", source: "source\(number % 3)", meter: number == 4 ? "disk" : "CPU")
      }
      let results = try await client.report(events)
      #expect(results.map(\.isAccepted) == (0..<9).map { $0 != 4 })
      // The sources are taken one after the other.
      #expect(results.map(\.position) == [1, 4, 6, 2, nil, 7, 3, 5, 8])
      let again = try await client.report(events.reversed())
      #expect(again.map(\.position) == results.reversed().map(\.position))
      #expect(try await client.report([]) == [])
    }
  }

  @Test func `a stream answers each batch before the next is sent`() async throws {
    try await withClient { client in
      let (answers, sink) = AsyncStream.makeStream(of: UInt64.self)
      let numbers = try await client.reportStream(timeout: timeout) { writer in
        var iterator = answers.makeAsyncIterator()
        for number in 0..<5 as Range<UInt64> {
          let batch = Fixture.batch([Fixture.event("\(number)")])
          try await writer.write(NumberedBatch(number: number, batch: batch))
          #expect(await iterator.next() == number)
        }
      } consume: { results in
        var numbers: [UInt64] = []
        for try await result in results {
          #expect(result.results.map(\.isAccepted) == [true])
          numbers.append(result.number)
          sink.yield(result.number)
        }
        return numbers
      }
      #expect(numbers == [0, 1, 2, 3, 4])
    }
  }

  @Test func `a stream of many batches in flight is answered in its order`() async throws {
    let disk = SimulatedDisk()
    disk.setSyncMicroseconds(1000)
    try await withClient(disk) { client in
      let before = disk.count(.sync)
      let results = try await client.reportStream(timeout: timeout) { writer in
        for number in 0..<100 as Range<UInt64> {
          let events = (0..<(number % 4)).map { Fixture.event("\(number / 2)-\($0)") }
          try await writer.write(NumberedBatch(number: number, batch: Fixture.batch(events)))
        }
      } consume: { results in
        try await results.reduce(into: [BatchResult]()) { $0.append($1) }
      }
      #expect(results.map(\.number) == (0..<100).map { $0 })
      #expect(results.map(\.results.count) == (0..<100).map { $0 % 4 })
      #expect(results.allSatisfy { $0.results.allSatisfy { $0.isSuccess } })
      #expect(disk.count(.sync) - before < 75)
    }
  }

  @Test func `a stream whose batch cannot be kept ends although its sender waits`() async throws {
    let disk = SimulatedDisk()
    disk.setFreeBytes(0)
    try await withClient(disk) { client in
      let (ended, end) = AsyncStream.makeStream(of: Void.self)
      let error = await #expect(throws: RPCError.self) {
        try await client.reportStream(timeout: timeout) { writer in
          try await writer.write(NumberedBatch(number: 1, batch: Fixture.batch([Fixture.event()])))
          // Sends no more, and does not end its stream either.
          for await _ in ended {}
        } consume: { results in
          defer { end.finish() }
          for try await _ in results {}
        }
      }
      #expect(error?.code == .resourceExhausted)
    }
  }

  @Test func `the journal is read and followed`() async throws {
    try await withClient { client in
      _ = try await client.report([Fixture.event("1"), Fixture.event("2")])
      let ids = try await client.readJournal(from: 2, follow: true, timeout: timeout) { chunks in
        var ids: [String] = []
        for try await chunk in chunks {
          #expect(chunk.durablePosition >= chunk.nextPosition)
          for record in try chunk.parsed() where record.kind == .batch {
            let batch = try #require(EventBatch(journalPayload: record.payload))
            ids += (0..<batch.count).map { batch.id($0) }
          }
          if ids.count == 2 { _ = try await client.report([Fixture.event("3")]) }
          if ids.count == 3 { break }
        }
        return ids
      }
      #expect(ids == ["1", "2", "3"])
      let error = await #expect(throws: RPCError.self) {
        try await client.readJournal(from: 99, follow: false, timeout: timeout) { chunks in
          for try await _ in chunks {}
        }
      }
      #expect(error?.code == .outOfRange)
      let other = await #expect(throws: RPCError.self) {
        try await client.readJournal(from: 1, of: 7, follow: false, timeout: timeout) { chunks in
          for try await _ in chunks {}
        }
      }
      #expect(other?.code == .failedPrecondition)
      #expect(error?.message.contains("position 99 is beyond the journal, which ends at 4") == true)
    }
  }

  @Test func `the quarantine is listed in pages`() async throws {
    try await withClient { client in
      #expect(try await client.listQuarantine(.init(afterNumber: 0, pageSize: 0)).entries == [])
      let events = (0..<25).map { Fixture.event("\($0)", meter: "disk") }
      _ = try await client.report(events)
      var listed: [QuarantineEntry] = []
      var pages = 0
      var more = true
      while more {
        let page = try await client.listQuarantine(
          .init(afterNumber: listed.last?.number ?? 0, pageSize: 10))
        listed += page.entries
        more = page.more
        pages += 1
      }
      #expect(pages == 3 && listed.map(\.event) == events)
      #expect(try await client.listQuarantine(.init(afterNumber: 0, pageSize: 25)).more == false)
      for after: UInt64 in [25, 26, .max - 1, .max] {
        let page = try await client.listQuarantine(.init(afterNumber: after, pageSize: 10))
        #expect(page.entries == [] && !page.more)
      }
      let error = await #expect(throws: RPCError.self) {
        try await client.listQuarantine(.init(afterNumber: 0, pageSize: 1001))
      }
      #expect(error?.code == .invalidArgument && error?.message == "page_size: at most 1000")
    }
  }

  @Test func `a page of large entries ends early instead of not fitting`() async throws {
    try await withCollector(
      SimulatedDisk(), SimulatedClock(), Fixture.configuration(quarantineBytesMax: 64 << 20)
    ) { collector in
      try await withInProcessChannel(endpoints: [CollectorEndpoint(collector)]) { channel in
        let client = CollectorClient(channel)
        var event = Fixture.event(meter: "disk")
        event.series.resource.additionalInfo = String(repeating: "a", count: 8192)
        for part in 0..<3 {
          _ = try await client.report(
            (0..<200).map {
              event.id = "\(part)-\($0)"
              return event
            })
        }
        var last: UInt64 = 0
        var pages = 0
        while last < 600 {
          let page = try await client.listQuarantine(.init(afterNumber: last, pageSize: 1000))
          #expect(page.more == (page.entries.last?.number != 600))
          last = try #require(page.entries.last?.number)
          pages += 1
        }
        #expect(pages > 3)
      }
    }
  }

  @Test func `the status is that of the collector`() async throws {
    try await withClient { client in
      _ = try await client.report([Fixture.event(), Fixture.event()])
      let status = try await client.status()
      #expect(status.nextPosition == 2 && status.accepted == 1 && status.duplicates == 1)
      #expect(status.refusing == "")
      #expect(status.parkedCorrections == 0)
      var void = Fixture.event("void", quantity: 0)
      void.correction = Correction(.voids, "2")
      _ = try await client.report([void])
      #expect(try await client.status().parkedCorrections == 1)
      _ = try await client.report([Fixture.event("2")])
      #expect(try await client.status().parkedCorrections == 0)
    }
  }
}
