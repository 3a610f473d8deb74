import HTTPTypes
import Testing

@testable import GatewayServer

@Suite struct RequestSlotsTests {
  /// Takes `depth` slots, one within the other.
  private func take(_ depth: Int, of slots: RequestSlots) async throws {
    guard depth > 0 else { return }
    try await slots.using { try await take(depth - 1, of: slots) }
  }

  @Test func `one request too many is refused at once, and again there is room when one ends`()
    async throws
  {
    let slots = RequestSlots(max: GatewayLimits.eventRequestsMax, of: "requests with events")
    try await take(GatewayLimits.eventRequestsMax, of: slots)
    let problem = await #expect(throws: HTTPProblem.self) {
      try await take(GatewayLimits.eventRequestsMax + 1, of: slots)
    }
    #expect(problem?.status == .tooManyRequests)
    #expect(problem?.headers[.retryAfter] == "1")
    #expect(problem?.detail.contains("\(GatewayLimits.eventRequestsMax) requests") == true)
    try await take(GatewayLimits.eventRequestsMax, of: slots)
  }
}
