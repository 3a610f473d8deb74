internal import CollectorClient
internal import GRPCCore
internal import HTTPTypes
internal import StackmeterCore
internal import StackmeterWire

/// `/v1/quarantine`: what was refused, and to try it again or give it up.
struct QuarantineAnswers: Sendable {
  let collector: CollectorClient

  /// A page of what was refused, oldest first. Where there are others, `nextAfter` is the `after` of the next page.
  func list(_ request: GatewayRequest) async throws -> Reply {
    var reader = try request.parameters()
    let filter = reader.quarantineFilter()
    let includeResolved = reader.flag("includeResolved")
    let after = reader.number("after")
    let pageSize = reader.integer("pageSize") ?? 0
    try reader.finish()
    let page = try await collector.listQuarantine(
      ListQuarantineRequest(
        afterNumber: after ?? 0, pageSize: UInt32(pageSize), filter: filter,
        includeResolved: includeResolved))
    return Reply { writer in
      writer.member(
        "value",
        array: { writer in
          for entry in page.entries { writer.object { $0.members(of: entry) } }
        })
      if page.more { writer.member("nextAfter", page.lastNumber) }
    }.linked(page.more ? request.next(["after": "\(page.lastNumber)"]) : nil)
  }

  func show(_ request: GatewayRequest) async throws -> Reply {
    try request.refuseParameters()
    guard let number = UInt64(request.pathValue) else {
      throw HTTPProblem(
        .notFound, "ResourceNotFound",
        "the quarantine has no entry \"\(request.pathValue.prefix(64))\"")
    }
    let entry = try await collector.quarantineEntry(number)
    return Reply { writer in writer.members(of: entry) }
  }

  /// Reports refused events again. Safe to repeat: each counts once.
  func redrive(_ request: GatewayRequest) async throws -> Reply {
    try await resolve(request) { choice throws(RPCError) in
      try await collector.redriveQuarantine(choice)
    }
  }

  /// Closes entries without counting them.
  func discard(_ request: GatewayRequest) async throws -> Reply {
    try await resolve(request) { choice throws(RPCError) in
      try await collector.discardQuarantine(choice)
    }
  }

  private func resolve(
    _ request: GatewayRequest,
    _ call: (QuarantineChoice) async throws(RPCError) -> ResolveQuarantineResponse
  ) async throws -> Reply {
    var reader = try request.parameters()
    let numbers = reader.numbers("number")
    let all = reader.flag("all")
    let filter = reader.quarantineFilter()
    let after = reader.number("after")
    let limit = reader.integer("limit")
    if reader.texts("number").isEmpty != all {
      reader.add("number", "name entries by number, or say all=true; one of both")
    }
    if !all && (filter != QuarantineFilter() || after != nil || limit != nil) {
      reader.add("all", "filters, after and limit need all=true")
    }
    try reader.finish()
    let response = try await call(
      all
        ? .matching(filter, after: after ?? 0, limit: limit ?? QuarantineChoice.entriesMax)
        : .numbers(numbers))
    return Reply { writer in
      writer.member(
        "value",
        array: { writer in
          for result in response.results { writer.object { $0.members(of: result) } }
        })
      if response.more { writer.member("nextAfter", response.lastNumber) }
    }
  }
}

extension ParameterReader {
  fileprivate mutating func quarantineFilter() -> QuarantineFilter {
    var filter = QuarantineFilter(source: text("source"), subscription: text("subscription"))
    for name in texts("reason") {
      if let reason = Refusal.Reason(name: name) {
        filter.reasons.insert(reason)
      } else {
        add("reason", "must be of \(Refusal.Reason.names)")
      }
    }
    filter.from = time("from")
    filter.to = time("to")
    return filter
  }
}
