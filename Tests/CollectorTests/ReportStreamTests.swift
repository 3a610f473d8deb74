import GRPCCore
import StackmeterCore
import StackmeterTesting
import StackmeterWire
import Synchronization
import Testing

@testable import CollectorServer

@Suite(.timeLimit(.minutes(1))) struct ReportStreamTests {
  /// Gives batches of about `bytes` without events, and counts those that were taken.
  private final class Sender: Sendable {
    private let count = Atomic<UInt64>(0)
    let total: UInt64
    private let bytes: Int

    init(total: UInt64, bytes: Int) {
      self.total = total
      self.bytes = bytes
    }

    var taken: UInt64 { count.load(ordering: .relaxed) }

    var batches: RPCAsyncSequence<NumberedBatch, any Error> {
      let text = String(repeating: "x", count: bytes)
      let series = Series(
        subscription: "s", meter: "m", resource: Resource(uri: "/r", additionalInfo: text))
      return RPCAsyncSequence(
        wrapping: AsyncThrowingStream<NumberedBatch, any Error> { [self] in
          let number = count.add(1, ordering: .relaxed).newValue
          guard number <= total else { return nil }
          return NumberedBatch(
            number: number, batch: EventBatch(source: "vm", series: [series]))
        })
    }
  }

  /// Keeps the numbers of what is answered.
  private final class Receiver: RPCWriterProtocol {
    private let received = Mutex<[UInt64]>([])

    var numbers: [UInt64] { received.withLock { $0 } }

    func write(_ element: BatchResult) async throws {
      received.withLock { $0.append(element.number) }
    }

    func write(contentsOf elements: some Sequence<BatchResult>) async throws {
      received.withLock { $0 += elements.map(\.number) }
    }
  }

  @Test(arguments: [
    (bytes: 1, inFlight: ReportStream.batchesInFlightMax),
    (bytes: ReportStream.bytesInFlightMax / 4 - 100, inFlight: 4),
    (bytes: ReportStream.bytesInFlightMax + 1, inFlight: 1),
  ])
  func `a stream works on so many batches, and the next waits`(
    bytes: Int, inFlight: Int
  ) async throws {
    let collector = try makeCollector(SimulatedDisk(), SimulatedClock())
    let sender = Sender(total: UInt64(inFlight) + 20, bytes: bytes)
    let receiver = Receiver()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        try await ReportStream(collector).run(sender.batches, RPCWriter(wrapping: receiver))
        collector.stop()
      }
      // One more is taken, and finds no room.
      try await eventually { sender.taken == UInt64(inFlight) + 1 ? () : nil }
      #expect(receiver.numbers.isEmpty)
      group.addTask { try await collector.run() }
      try await group.waitForAll()
    }
    #expect(receiver.numbers == Array(1...sender.total))
  }
}
