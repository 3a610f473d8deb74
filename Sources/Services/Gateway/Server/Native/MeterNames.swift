internal import GRPCCore
internal import QueryClient
internal import StackmeterCore
internal import Synchronization

/// The meters as query knows them, kept for `GatewayLimits.meterCacheAge`.
final class MeterNames: Sendable {
  /// Meters for whatever spelling of the id.
  ///
  /// No `MeterCatalog`: the database keeps a meter under every spelling that a catalog ever gave it, and that
  /// is no fault. Of several spellings the first is taken.
  struct Copy {
    private let meters: [ExactText: Meter]

    init(_ meters: [Meter]) {
      self.meters = Dictionary(
        meters.map { (ExactText($0.id.asciiLowercased), $0) },
        uniquingKeysWith: { first, _ in first })
    }

    subscript(id: String) -> Meter? { meters[ExactText(id.asciiLowercased)] }
  }

  private let query: QueryClient
  private let clock: any WallClock
  private let copy = Mutex<(meters: Copy, read: Instant)?>(nil)

  init(query: QueryClient, clock: any WallClock) {
    self.query = query
    self.clock = clock
  }

  func current() async throws(RPCError) -> Copy {
    let now = clock.now()
    if let copy = copy.withLock({ $0 }), copy.read <= now,
      now - copy.read < GatewayLimits.meterCacheAge
    {
      return copy.meters
    }
    let meters = Copy(try await query.listMeters())
    copy.withLock { $0 = (meters, now) }
    return meters
  }
}
