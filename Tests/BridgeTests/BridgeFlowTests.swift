import GRPCCore
import Glibc
import Logging
import QueryClient
import StackmeterCommerce
import StackmeterCompression
import StackmeterCore
import StackmeterRPC
import StackmeterRuntime
import StackmeterStore
import StackmeterTesting
import StackmeterWire
import Synchronization
import Testing

@testable import BridgeServer

/// The bridge with windows of a fake query and a commerce service at a real socket.
@Suite(.timeLimit(.minutes(1))) struct BridgeFlowTests {
  private static let configuration = BridgeConfiguration(
    retryMin: .milliseconds(1), retryMax: .milliseconds(4), answerMax: .seconds(2),
    poll: .milliseconds(20))

  private func registration(
    _ commerce: FakeCommerce, model: String = "payAsYouUse", from: Hour,
    _ members: String = ""
  ) -> RegisterBridgeRequest {
    RegisterBridgeRequest(
      document: Array(
        (#"{"site":"s","model":"\#(model)","endpoint":"\#(commerce.endpoint)","key":"secret","#
          + #""from":"\#(from)"\#(members)}"#).utf8))
  }

  /// Lends a bridge that runs.
  private func withBridge(
    _ usage: FakeUsage, clock: any HostClock = SystemClock(),
    _ body: @escaping (Bridge, FakeCommerce) async throws -> Void
  ) async throws {
    let commerce = try FakeCommerce()
    defer { commerce.close() }
    try await withTemporaryDirectory { directory in
      try await withInProcessChannel(endpoints: [usage]) { channel in
        let bridge = try Bridge(
          directory: "\(directory)/bridge", query: QueryClient(channel),
          configuration: Self.configuration, clock: clock, logger: Logger(label: "bridge"))
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask { try await bridge.run() }
          defer { group.cancelAll() }
          try await body(bridge, commerce)
        }
      }
    }
  }

  private func settled(_ bridge: Bridge, _ usage: FakeUsage) async throws -> BridgeStatus {
    try await eventually {
      let status = await bridge.status()
      return status.nextWindow == usage.openWindow && status.pending + status.sent == 0
        ? status : nil
    }
  }

  @Test func `every billable row of closed windows arrives once, window by window`() async throws {
    var random = try SeededRandom()
    let usage = FakeUsage()
    var expected: [String: Quantity] = [:]
    for rows in [0, 1, 7, 8, 0, 2500] {
      expected.merge(usage.close(rows: rows, using: &random)) { $1 }
    }
    let sums = expected
    let later = random
    try await withBridge(usage) { bridge, commerce in
      #expect(await bridge.status().state == "unregistered")
      _ = try await bridge.register(registration(commerce, from: usage.first))
      var status = try await settled(bridge, usage)
      #expect(commerce.quantities == sums)
      #expect(status.acknowledged == UInt64(sums.count) && status.refused == 0)
      #expect(status.alerts.isEmpty && status.circuit == "closed")
      #expect(commerce.windows == commerce.windows.sorted())
      var random = later
      let more = usage.close(rows: 20, using: &random)
      status = try await settled(bridge, usage)
      #expect(commerce.quantities == sums.merging(more) { $1 })
      // Sent once more, everything is a duplicate.
      let requests = commerce.requests
      let windows = usage.first..<usage.openWindow
      #expect(try await bridge.control(.resendWindows(windows)) == 7)
      status = try await settled(bridge, usage)
      #expect(commerce.requests > requests && commerce.conflicts.isEmpty)
      #expect(status.acknowledged == UInt64(sums.count + more.count))
      #expect(commerce.quantities.count == sums.count + more.count)
    }
  }

  @Test(arguments: ["capacity", "unregistered", "paused", "expired"])
  func `nothing is sent where nothing is to be sent`(what: String) async throws {
    var random = try SeededRandom()
    let usage = FakeUsage()
    let expected = usage.close(rows: 30, using: &random)
    try await withBridge(usage) { bridge, commerce in
      switch what {
      case "unregistered":
        // Not even query is asked. The time in which somebody else's batch comes and goes is time enough.
        let other = FakeUsage()
        try await self.withBridge(other) { bridge, commerce in
          var random = try SeededRandom()
          other.close(rows: 30, using: &random)
          _ = try await bridge.register(self.registration(commerce, from: other.first))
          _ = try await self.settled(bridge, other)
        }
        #expect(usage.questions == 0)
      default:
        let members = [
          "paused": #","paused":true"#, "expired": #","expires":"2026-01-01T00:00:00Z""#,
        ]
        _ = try await bridge.register(
          registration(
            commerce, model: what == "capacity" ? what : "payAsYouUse", from: usage.first,
            members[what] ?? ""))
        let status = try await eventually {
          let status = await bridge.status()
          return status.nextWindow == usage.openWindow ? status : nil
        }
        #expect(status.pending == UInt64(expected.count))
        #expect(status.state == (what == "capacity" ? "active" : what))
        _ = try await bridge.control(.pause)
        _ = try await bridge.control(.unregister)
      }
      #expect(commerce.requests == 0)
    }
  }

  @Test func `development has a price of zero, and a resumed bridge sends what waits`() async throws
  {
    var random = try SeededRandom()
    let usage = FakeUsage()
    let expected = usage.close(rows: 30, using: &random)
    try await withBridge(usage) { bridge, commerce in
      _ = try await bridge.register(
        registration(commerce, model: "development", from: usage.first, #","paused":true"#))
      _ = try await eventually {
        await bridge.status().pending == UInt64(expected.count) ? true : nil
      }
      #expect(commerce.requests == 0)
      _ = try await bridge.control(.resume)
      _ = try await settled(bridge, usage)
      #expect(commerce.quantities == expected)
      #expect(commerce.records.allSatisfy { $0.unitPrice == .zero })
    }
  }

  @Test func `a refused record blocks nothing, and can be sent again`() async throws {
    var random = try SeededRandom()
    let usage = FakeUsage()
    let expected = usage.close(rows: 100, using: &random).merging(
      usage.close(rows: 50, using: &random)
    ) { $1 }
    try await withBridge(usage) { bridge, commerce in
      let bad = Set(expected.keys.sorted().prefix(3))
      commerce.refuse(bad)
      _ = try await bridge.register(registration(commerce, from: usage.first))
      let status = try await settled(bridge, usage)
      #expect(status.refused == 3 && status.acknowledged == UInt64(expected.count - 3))
      #expect(status.alerts.map(\.id) == ["RecordsRefused"])
      let letters = try await bridge.deadLetters(ListDeadLettersRequest()).letters
      #expect(Set(letters.map(\.id)) == bad)
      #expect(letters.allSatisfy { $0.code == "Refused" && $0.reason == "is not liked" })
      let page = try await bridge.deadLetters(ListDeadLettersRequest(pageSize: 2))
      #expect(page.letters.count == 2 && page.nextAfter == page.letters[1].number)
      commerce.forgive()
      #expect(try await bridge.control(.resendDeadLetters([])) == 3)
      let mended = try await settled(bridge, usage)
      #expect(mended.refused == 0 && mended.alerts.isEmpty)
      #expect(commerce.quantities == expected)
    }
  }

  @Test func `a batch that is refused as a whole is halved until each record is alone`()
    async throws
  {
    var random = try SeededRandom()
    let usage = FakeUsage()
    let expected = usage.close(rows: 20, using: &random)
    try await withBridge(usage) { bridge, commerce in
      commerce.behave { .refusesBatch }
      _ = try await bridge.register(registration(commerce, from: usage.first))
      let status = try await settled(bridge, usage)
      #expect(status.refused == UInt64(expected.count))
      commerce.behave { .good }
      _ = try await bridge.control(.resendDeadLetters([]))
      _ = try await settled(bridge, usage)
      #expect(commerce.quantities == expected)
    }
  }

  @Test func `a service that is away opens the alert, and its return closes it`() async throws {
    var random = try SeededRandom()
    let usage = FakeUsage()
    let expected = usage.close(rows: 20, using: &random)
    try await withBridge(usage) { bridge, commerce in
      commerce.behave { .failsBeforeCommit }
      _ = try await bridge.register(registration(commerce, from: usage.first))
      let down = try await eventually {
        let status = await bridge.status()
        return status.alerts.isEmpty ? nil : status
      }
      #expect(down.alerts.map(\.id) == ["UnableToConnect"])
      #expect(down.circuit != "closed" && down.problem == "answers 503")
      commerce.behave { .unauthorized }
      _ = try await eventually {
        await bridge.status().alerts.map(\.id) == ["RegistrationRefused"] ? true : nil
      }
      commerce.behave { .good }
      let status = try await settled(bridge, usage)
      #expect(status.alerts.isEmpty && status.circuit == "closed" && status.problem == "")
      #expect(commerce.quantities == expected)
    }
  }

  @Test func `a token that query has forgotten costs no row and doubles none`() async throws {
    var random = try SeededRandom()
    let usage = FakeUsage()
    let expected = usage.close(rows: 200, using: &random)
    try await withBridge(usage) { bridge, commerce in
      _ = try await bridge.register(registration(commerce, from: usage.first))
      for _ in 0..<20 {
        usage.forgetTokens()
        await Task.yield()
      }
      let status = try await settled(bridge, usage)
      #expect(commerce.quantities == expected)
      #expect(status.acknowledged == UInt64(expected.count))
    }
  }

  @Test func `while a part waits for the outbox, the next one is asked for, and no more`()
    async throws
  {
    var random = try SeededRandom()
    let usage = FakeUsage(rowsOfPart: 7)
    let expected = usage.close(rows: 40, using: &random).merging(
      usage.close(rows: 10, using: &random)
    ) { $1 }
    // How many parts are in the outbox when one is asked for.
    let kept = Mutex<[Int64]>([])
    let begin = StopSignal()
    try await withBridge(usage) { bridge, commerce in
      usage.beforeEach { question in
        if question == 1 { await begin.wait() }
        if question > 2, let cursor = try await bridge.outbox?.cursor() {
          // The first window has six parts, the second one two.
          let before = [0, 6, 8][Int(cursor.window.index - usage.first.index)]
          kept.withLock { $0.append(Int64(before) + cursor.rows / 7) }
        }
      }
      _ = try await bridge.register(registration(commerce, from: usage.first))
      _ = try await eventually { usage.questions == 1 ? true : nil }
      // Somebody else writes, so that the first part waits.
      let other = try await OutboxSchema.open("\(bridge.directory)/outbox.sqlite")
      try other.execute("BEGIN IMMEDIATE")
      begin.raise()
      _ = try await eventually { usage.questions == 2 ? true : nil }
      try other.execute("ROLLBACK")
      other.close()
      _ = try await settled(bridge, usage)
      #expect(commerce.quantities == expected)
      // When the third is asked for, the first is kept, or the second as well by then; and so on.
      for (part, kept) in zip(1...7, kept.withLock { $0 }) {
        #expect([part, part + 1].contains(Int(kept)))
      }
    }
  }

  @Test func `windows that are to be sent again at any moment come again once`() async throws {
    var random = try SeededRandom()
    let usage = FakeUsage(rowsOfPart: 3)
    var expected: [String: Quantity] = [:]
    for rows in [4, 0, 9, 1, 12, 3, 7, 2] {
      expected.merge(usage.close(rows: rows, using: &random)) { $1 }
    }
    let sums = expected
    let chance = Mutex(random)
    try await withBridge(usage) { bridge, commerce in
      usage.beforeEach { question in
        guard question % 3 == 0, question < 90 else { return }
        let windows = chance.withLock { random in
          let first = Int64.random(in: 0..<8, using: &random)
          return Hour(
            index: usage.first.index + first)..<Hour(
              index: usage.first.index + Int64.random(in: first...8, using: &random))
        }
        _ = try await bridge.control(.resendWindows(windows))
      }
      _ = try await bridge.register(registration(commerce, from: usage.first))
      let status = try await eventually {
        let status = await bridge.status()
        return usage.questions >= 90 && status.nextWindow == usage.openWindow
          && status.pending + status.sent == 0 ? status : nil
      }
      #expect(commerce.quantities == sums)
      #expect(commerce.conflicts.isEmpty)
      #expect(status.acknowledged == UInt64(sums.count) && status.refused == 0)
    }
  }

  @Test func `a registration begins with the open window, and the site stays while usage waits`()
    async throws
  {
    var random = try SeededRandom()
    let usage = FakeUsage()
    usage.close(rows: 5, using: &random)
    let later = random
    try await withBridge(usage) { bridge, commerce in
      let document =
        #"{"site":"s","model":"capacity","endpoint":"\#(commerce.endpoint)","key":"secret"}"#
      let dry = try await bridge.register(
        RegisterBridgeRequest(document: Array(document.utf8), isDryRun: true))
      #expect(dry.state == "unregistered")
      let status = try await bridge.register(RegisterBridgeRequest(document: Array(document.utf8)))
      #expect(status.nextWindow == usage.openWindow && status.state == "active")
      var random = later
      usage.close(rows: 5, using: &random)
      _ = try await eventually { await bridge.status().pending > 0 ? true : nil }
      do throws(BridgeError) {
        _ = try await bridge.register(
          RegisterBridgeRequest(
            document: Array(document.replacing("\"s\"", with: "\"other\"").utf8)))
        Issue.record("another site was taken")
      } catch {
        guard case .registration = error else {
          Issue.record("\(error)")
          return
        }
      }
      do throws(BridgeError) {
        _ = try await bridge.register(RegisterBridgeRequest(document: Array("{}".utf8)))
        Issue.record("nothing was taken for a registration")
      } catch {
        #expect(error.rpcErrorCode == .invalidArgument)
      }
    }
  }

  @Test func `a site that is disconnected writes signed files, and receipts settle them`()
    async throws
  {
    var random = try SeededRandom()
    let usage = FakeUsage()
    let expected = usage.close(rows: 30, using: &random)
    try await withBridge(usage) { bridge, commerce in
      let carried = await "\(bridge.directory)-carried"
      mkdir(carried, 0o750)
      let document =
        #"{"site":"s","model":"disconnected","key":"secret","directory":"\#(carried)","from":"\#(usage.first)"}"#
      _ = try await bridge.register(RegisterBridgeRequest(document: Array(document.utf8)))
      _ = try await eventually {
        let status = await bridge.status()
        return status.nextWindow == usage.openWindow && status.pending == 0 ? true : nil
      }
      let outbox = try #require(await bridge.outbox)
      let batches = try await outbox.take(100)
      #expect(batches.reduce(0) { $0 + $1.records } == expected.count)
      for batch in batches {
        let name = try CarriedFile(batch, key: "secret").name
        let file = try fileContent("\(carried)/\(name)")
        let lineEnd = try #require(file.firstIndex(of: 10))
        #expect(Array(file[(lineEnd + 1)...]) == batch.body)
        let text = try GzipDecoder.decode(batch.body, GzipLimits(outputBytesMax: 1 << 20))
        let signature = String(decoding: file[..<lineEnd], as: UTF8.self)
        #expect(
          CommerceSignature.isValid(signature, .usage, batch: batch.id, text, key: "secret"))
        let answer = CommerceAnswer(batch: batch.id, accepted: batch.records, duplicates: 0).json()
        func receipt(_ key: String) -> [UInt8] {
          let signature = CommerceSignature.text(.receipt, batch: batch.id, answer, key: key)
          return Array(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nstackmeter-signature: \(signature)\r\n\r\n"
              .utf8) + answer
        }
        for wrong in [[], answer, receipt("other"), receipt("secret").dropLast() as [UInt8]] {
          do throws(BridgeError) {
            _ = try await bridge.control(.importReceipt(wrong))
            Issue.record("a receipt was taken that is none")
          } catch {
            #expect(error.rpcErrorCode == .invalidArgument)
          }
        }
        #expect(
          try await bridge.control(.importReceipt(receipt("secret"))) == UInt64(batch.records))
        #expect(try await bridge.control(.importReceipt(receipt("secret"))) == 0)
      }
      let status = await bridge.status()
      #expect(status.acknowledged == UInt64(expected.count) && status.sent == 0)
      #expect(commerce.requests == 0)
    }
  }

  @Test func `what needs a registration says so`() async throws {
    try await withBridge(FakeUsage()) { bridge, _ in
      do throws(BridgeError) {
        _ = try await bridge.control(.pause)
        Issue.record("paused")
      } catch {
        #expect(error == .unregistered)
      }
    }
  }

  @Test func `one bridge has the directory`() async throws {
    try await withTemporaryDirectory { directory in
      try await withInProcessChannel(endpoints: [FakeUsage()]) { channel in
        let make = {
          try Bridge(
            directory: "\(directory)/bridge", query: QueryClient(channel),
            configuration: Self.configuration, clock: SystemClock(),
            logger: Logger(label: "bridge"))
        }
        let first = try make()
        #expect(throws: StateLockError.self) { _ = try make() }
        _ = first
      }
    }
  }
}
