import BridgeClient
import Glibc
import Logging
import StackmeterCommerce
import StackmeterCore
import StackmeterRPC
import StackmeterRuntime
import StackmeterTesting
import StackmeterWire
import Synchronization
import Testing

/// The real bridge process against a commerce service that misbehaves in every way, with kills in between.
@Suite(.serialized, .timeLimit(.minutes(30))) struct BridgeFaultTests {
  /// How many requests are answered badly.
  static let faults =
    getenv("STACKMETER_BRIDGE_FAULTS").flatMap { Int(String(cString: $0)) } ?? 400
  static let faultsBetweenKills = 40
  /// A hang costs the time until the bridge gives up.
  private static let hangsOf1000 = 8

  private static let environment = [
    "STACKMETER_BRIDGE_RETRY_MILLISECONDS_MIN": "1",
    "STACKMETER_BRIDGE_RETRY_MILLISECONDS_MAX": "3",
    "STACKMETER_BRIDGE_ANSWER_MILLISECONDS_MAX": "150",
    "STACKMETER_BRIDGE_POLL_MILLISECONDS": "10",
  ]

  /// What misbehaves, at random.
  private final class Chance: Sendable {
    private let random: Mutex<SeededRandom>
    private let isOver = Atomic(false)

    init(_ random: SeededRandom) {
      self.random = Mutex(random)
    }

    func end() { isOver.store(true, ordering: .relaxed) }

    func next() -> FakeCommerce.Behaviour {
      if isOver.load(ordering: .relaxed) { return .good }
      return random.withLock { random in
        if Int.random(in: 0..<5, using: &random) == 0 { return .good }
        let slow: [FakeCommerce.Behaviour] = [.hangs, .trickles]
        if Int.random(in: 0..<1000, using: &random) < BridgeFaultTests.hangsOf1000 {
          return slow.randomElement(using: &random)!
        }
        // A batch that is refused whole ends in dead letters, which is another test's matter.
        return FakeCommerce.Behaviour.allCases
          .filter { !slow.contains($0) && $0 != .refusesBatch && $0 != .good }
          .randomElement(using: &random)!
      }
    }
  }

  @Test func `the service has what closed windows have, once, whatever breaks`() async throws {
    var random = try SeededRandom()
    let seed = random.seed
    do {
      try await withCluster(overrides: Self.environment) { cluster in
        try await run(cluster, &random)
      }
    } catch {
      throw SeededFailure(seed: seed, cause: error)
    }
  }

  private func run(_ cluster: Cluster, _ random: inout SeededRandom) async throws {
    let usage = FakeUsage()
    let commerce = try FakeCommerce()
    defer { commerce.close() }
    let chance = Chance(SeededRandom(seed: random.next()))
    commerce.behave { chance.next() }
    var expected: [String: Quantity] = [:]
    var occupied: Set<String> = []
    var kills = 0
    func closeWindow(_ random: inout SeededRandom) {
      let rows = usage.close(rows: Int.random(in: 0...25, using: &random), using: &random)
      expected.merge(rows) { $1 }
      // Somebody else's record has the id there.
      if Int.random(in: 0..<20, using: &random) == 0, let id = rows.keys.sorted().first {
        commerce.occupy(id)
        occupied.insert(id)
      }
    }
    mkdir(cluster.settings.runDirectory, 0o750)
    mkdir(cluster.settings.stateDirectory, 0o750)
    let server = try RPCServer(
      socketPath: cluster.settings.socketPath("query"), endpoints: [usage],
      logger: Logger(label: "usage"))
    let serving = Task { try await server.run() }
    for _ in 0..<5 { closeWindow(&random) }
    try cluster.start("bridge")
    try await register(cluster, commerce, from: usage.first)
    var killedAt = 0
    while true {
      let bad = commerce.faults.reduce(0) { $1.key == .good ? $0 : $0 + $1.value }
      if bad >= Self.faults { break }
      if bad - killedAt >= Self.faultsBetweenKills {
        killedAt = bad
        try await cluster.kill("bridge")
        if Int.random(in: 0..<3, using: &random) == 0 { usage.forgetTokens() }
        try cluster.start("bridge")
        kills += 1
      }
      let counted = commerce.windows.last ?? usage.first
      if usage.openWindow.index - counted.index < 8 { closeWindow(&random) }
      try await Task.sleep(for: .milliseconds(2))
    }
    chance.end()
    let status = try await settled(cluster, usage)
    var wanted = expected
    for id in occupied { wanted[id] = FakeCommerce.otherQuantity }
    let found = commerce.quantities
    print(
      "== bridge: \(Self.faults) faults, \(kills) kills, \(found.count) records, "
        + "\(wanted.keys.filter { found[$0] == nil }.count) lost, "
        + "\(found.keys.filter { wanted[$0] == nil }.count) too many, "
        + "\(occupied.count) conflicts, \(commerce.requests) requests")
    try #require(found == wanted)
    // A conflict is counted again where its answer was lost.
    try #require(Set(commerce.conflicts) == occupied)
    try #require(commerce.strays == 0)
    try #require(status.refused == UInt64(occupied.count))
    try #require(status.acknowledged == UInt64(expected.count - occupied.count))
    let sum = { (quantities: [Quantity]) in quantities.reduce(Int128(0)) { $0 + $1.attos } }
    try #require(sum(Array(found.values)) == sum(Array(wanted.values)))
    if Self.faults >= 300 {
      let seen = commerce.faults
      for behaviour in FakeCommerce.Behaviour.allCases
      where ![.refusesBatch, .hangs, .trickles].contains(behaviour) {
        try #require(seen[behaviour, default: 0] > 0, "\(behaviour)")
      }
    }
    try #require(kills > 0)
    #expect(try await cluster.stop("bridge") == .exited(0))
    server.stop()
    try await serving.value
  }

  private func register(
    _ cluster: Cluster, _ commerce: FakeCommerce, from: Hour
  ) async throws {
    let document =
      #"{"site":"s","model":"payAsYouUse","endpoint":"\#(commerce.endpoint)","key":"secret","from":"\#(from)"}"#
    let path = "\(cluster.directory)/registration.json"
    let file = open(path, O_WRONLY | O_CREAT, 0o600)
    try #require(write(file, document, document.utf8.count) == document.utf8.count)
    close(file)
    _ = try await eventually {
      let told = try await cluster.command("bridge", "register", path)
      return told.status == .exited(0) ? true : nil
    }
  }

  private func settled(_ cluster: Cluster, _ usage: FakeUsage) async throws -> BridgeStatus {
    try await withRPCChannel(socketPath: cluster.settings.socketPath("bridge")) { channel in
      try await eventually {
        guard let status = try? await BridgeClient(channel).status() else { return nil }
        return status.nextWindow == usage.openWindow && status.pending + status.sent == 0
          ? status : nil
      }
    }
  }
}
