import GRPCCore
import QueryClient
import StackmeterCommerce
import StackmeterCore
import StackmeterRPC
import StackmeterTesting
import StackmeterWire
import Synchronization

/// Closed windows as query has them: the same rows whenever they are asked for.
final class FakeUsage: RPCEndpoint {
  static let serviceName = QueryMethods.service
  static let billable = "M-BILLABLE"
  static let internalUse = "M-INTERNAL"

  private struct State {
    var lines: [[String]] = []
    var tokenSalt = 0
    var questions = 0
    var before: @Sendable (Int) async throws -> Void = { _ in }
  }

  let first: Hour
  private let rowsOfPart: Int
  private let state = Mutex(State())

  init(first: Hour = Hour(index: 498_700), rowsOfPart: Int = 7) {
    self.first = first
    self.rowsOfPart = rowsOfPart
  }

  var openWindow: Hour {
    Hour(index: first.index + Int64(state.withLock { $0.lines.count }))
  }

  var questions: Int { state.withLock { $0.questions } }

  /// Does something before a part is given; it is told how many were asked for.
  func beforeEach(_ body: @escaping @Sendable (Int) async throws -> Void) {
    state.withLock { $0.before = body }
  }

  /// Tokens that were given out are not known any more, as if the file with query's key had been lost.
  func forgetTokens() {
    state.withLock { $0.tokenSalt += 1 }
  }

  /// Closes a window with so many rows; returns the ids and the quantities of the billable ones.
  @discardableResult
  func close(rows: Int, using random: inout SeededRandom) -> [String: Quantity] {
    let window = openWindow
    var expected: [String: Quantity] = [:]
    var lines: [String] = []
    for row in 0..<rows {
      let series = hexadecimal(
        (0..<16).map {
          $0 < 8 ? UInt8(truncatingIfNeeded: row >> (8 * $0)) : .random(in: 0...255, using: &random)
        })
      let isBillable = Int.random(in: 0..<5, using: &random) > 0
      // Late usage may be below zero.
      let attos =
        Int128(Int64.random(in: -1_000_000...1_000_000_000_000, using: &random))
        * 1_000_003
      let quantity = Quantity(attos: attos)!
      let id = "\(series)-2026112315-\(window.index)"
      lines.append(
        exportLine(
          id: id, subscription: "s\(row % 3)",
          meter: isBillable ? FakeUsage.billable : FakeUsage.internalUse,
          quantity: quantity.description, window: window.description))
      if isBillable { expected[CommerceIdentity.record(row: id.utf8, revision: 0)] = quantity }
    }
    state.withLock { $0.lines.append(lines) }
    return expected
  }

  func register<Transport: ServerTransport>(with routes: inout RPCRoutes<Transport>) {
    routes.unary(QueryMethods.listMeters) { _ in
      ListMetersResponse(
        meters: [(FakeUsage.billable, true), (FakeUsage.internalUse, false)].map { id, billable in
          Meter(
            id: id, name: id, unit: "h", category: "c", resourceProvider: "p", aggregation: .sum,
            isBillable: billable)
        })
    }
    routes.unary(QueryMethods.getStatus) { [self] _ in
      var status = PipelineStatus()
      status.openWindow = openWindow
      return status
    }
    routes.unary(QueryMethods.exportUsage) { [self] request in
      let (question, before) = state.withLock { state in
        state.questions += 1
        return (state.questions, state.before)
      }
      try await before(question)
      return try part(request)
    }
  }

  private func part(_ request: ExportUsageRequest) throws -> ExportUsageResponse {
    try state.withLock { state in
      let window = request.from!
      let index = Int(window.index - first.index)
      guard request.to == window.next, request.format == .ndjson else {
        throw RPCError(code: .invalidArgument, message: "not what a bridge asks")
      }
      guard index < state.lines.count else {
        return ExportUsageResponse(data: [], rows: 0, nextPageToken: "", windows: window..<window)
      }
      let lines = index < 0 ? [] : state.lines[index]
      var start = 0
      if !request.pageToken.isEmpty {
        let parts = request.pageToken.split(separator: "/").compactMap { Int($0) }
        guard parts.count == 2, parts[0] == state.tokenSalt else {
          throw RPCError(code: .invalidArgument, message: "page_token: was not given")
        }
        start = parts[1]
      }
      let end = min(lines.count, start + rowsOfPart)
      return ExportUsageResponse(
        data: Array(lines[start..<end].map { $0 + "\n" }.joined().utf8), rows: UInt64(end),
        nextPageToken: end < lines.count ? "\(state.tokenSalt)/\(end)" : "",
        windows: window..<window.next)
    }
  }
}
