internal import QueryClient
internal import StackmeterCore
internal import StackmeterWire

/// `/v1/meters`, `/v1/subscriptions` and `/v1/windows`.
struct CatalogAnswers: Sendable {
  let query: QueryClient

  func meters(_ request: GatewayRequest) async throws -> Reply {
    try request.refuseParameters()
    let meters = try await query.listMeters()
    return Reply { writer in
      writer.member(
        "value", array: { writer in for meter in meters { writer.meter(meter) } })
    }
  }

  /// A page of the subscriptions that the caller may see, by id. Where there are others, `nextAfter` is the `after` of
  /// the next page.
  func subscriptions(_ request: GatewayRequest) async throws -> Reply {
    var reader = try request.parameters()
    let pageSize = reader.integer("pageSize") ?? 0
    try reader.finish()
    let page = try await query.listSubscriptions(
      ListSubscriptionsRequest(
        caller: request.caller, ids: reader.texts("subscription"),
        after: reader.text("after") ?? "", pageSize: UInt32(pageSize)))
    return Reply { writer in
      writer.member(
        "value",
        array: { writer in
          for subscription in page.subscriptions { writer.subscription(subscription) }
        })
      if !page.nextAfter.isEmpty { writer.member("nextAfter", string: page.nextAfter) }
    }.linked(page.nextAfter.isEmpty ? nil : request.next(["after": page.nextAfter]))
  }

  /// Reporting windows, newest first. How many aggregates a window has, in which cells, and who reports, is for
  /// operators only: it tells of everybody's usage.
  func windows(_ request: GatewayRequest) async throws -> Reply {
    var reader = try request.parameters()
    let before = reader.hour("before")
    let pageSize = reader.integer("pageSize")
    try reader.finish()
    let page = try await query.listWindows(
      ListWindowsRequest(
        caller: request.caller, before: before, pageSize: UInt32(pageSize ?? 0)))
    // A page of many cells may be short, so only one without windows is behind the last.
    let next = page.windows.last.map(\.hour.description)
    let reply = Reply { writer in
      writer.member(
        "value",
        array: { writer in
          for window in page.windows {
            writer.object { writer in
              writer.member("window", string: window.hour.description)
              writer.member("closed", window.isClosed)
              writer.member("final", window.isFinal)
              guard request.caller == .operator else { return }
              writer.member("aggregates", window.aggregates)
              writer.member(missing: window.missingAtClose, name: "missingAtClose")
              if !window.cells.isEmpty { writer.member(cells: window.cells) }
            }
          }
        })
      if let next { writer.member("nextBefore", string: next) }
      writer.member(
        missing: request.caller == .operator ? page.missing : page.missing.withoutNames)
    }
    return reply.linked(next.map { request.next(["before": $0]) })
      .lasting(
        !page.windows.isEmpty && page.windows.allSatisfy(\.isClosed), for: request.caller)
  }
}

extension JSONWriter {
  fileprivate mutating func member(cells: [CellWindow]) {
    member(
      "cells",
      array: { writer in
        for cell in cells {
          writer.object { writer in
            writer.member("cell", string: cell.cell)
            writer.member("closed", cell.isClosed)
            writer.member("aggregates", cell.aggregates)
            writer.member(missing: cell.missingAtClose, name: "missingAtClose")
          }
        }
      })
  }
}
