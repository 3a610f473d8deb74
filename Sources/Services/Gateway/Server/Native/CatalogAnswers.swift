internal import QueryClient
internal import StackmeterCore
internal import StackmeterWire

/// `/v1/meters` and `/v1/windows`.
struct CatalogAnswers: Sendable {
  let query: QueryClient

  func meters(_ request: GatewayRequest) async throws -> Reply {
    try ParameterReader(try QueryParameters(parsing: request.query), known: []).finish()
    let meters = try await query.listMeters()
    return Reply { writer in
      writer.member(
        "value", array: { writer in for meter in meters { writer.meter(meter) } })
    }
  }

  /// Reporting windows, newest first. How many aggregates a window has, and who reports, is for operators only: it
  /// tells of everybody's usage.
  func windows(_ request: GatewayRequest) async throws -> Reply {
    var reader = ParameterReader(
      try QueryParameters(parsing: request.query), known: ["before", "pageSize"])
    let before = reader.hour("before")
    let pageSize = reader.integer("pageSize", in: 1...ListWindowsRequest.pageSizeMax)
    try reader.finish()
    let page = try await query.listWindows(
      ListWindowsRequest(before: before, pageSize: UInt32(pageSize ?? 0)))
    return Reply { writer in
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
            }
          }
        })
      writer.member(
        missing: request.caller == .operator ? page.missing : page.missing.withoutNames)
    }
  }
}
