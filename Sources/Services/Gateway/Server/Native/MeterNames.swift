internal import GRPCCore
internal import QueryClient
internal import StackmeterCore
internal import Synchronization

/// The meter catalog as query knows it, kept for `GatewayLimits.meterCacheAge`.
final class MeterNames: Sendable {
  private struct Copy {
    let catalog: MeterCatalog
    let read: Instant
  }

  private let query: QueryClient
  private let clock: any WallClock
  private let copy = Mutex<Copy?>(nil)

  init(query: QueryClient, clock: any WallClock) {
    self.query = query
    self.clock = clock
  }

  func current() async throws -> MeterCatalog {
    let now = clock.now()
    if let copy = copy.withLock({ $0 }), copy.read <= now,
      now - copy.read < GatewayLimits.meterCacheAge
    {
      return copy.catalog
    }
    let catalog = try MeterCatalog(try await query.listMeters())
    copy.withLock { $0 = Copy(catalog: catalog, read: now) }
    return catalog
  }
}
