internal import GRPCCore
internal import HTTPTypes
internal import QueryClient
internal import StackmeterCore
internal import StackmeterRating
internal import StackmeterWire

/// `/v1/exports/focus`: the statements of a billing period with their charges, as a file of FOCUS, streamed.
extension ExportAnswers {
  func focus(_ request: GatewayRequest) async throws -> Reply {
    var reader = try request.parameters()
    let version = reader.choice("version") ?? "1.2"
    try reader.finish()
    let period = reader.text("period") ?? ""
    let question = ExportFocusRequest(
      caller: request.caller, period: period,
      subscriptions: try reader.visibleSubscriptions(to: request.caller), version: version)
    let place = try places.next()
    let first = try await namingParameters { () async throws(RPCError) in
      try await query.exportFocus(question)
    }
    var headers = HTTPFields()
    headers[.contentType] = "text/csv; charset=utf-8; header=present"
    headers[.contentDisposition] = "attachment; filename=\"stackmeter-focus-\(period).csv\""
    headers[.trailer] = HTTPField.Name.stackmeterRows.rawName
    return Reply(headers: headers, tag: nil) { [query] send in
      defer { place.give() }
      var part = first
      while !part.nextPageToken.isEmpty {
        var request = question
        request.pageToken = part.nextPageToken
        // The next part is made while this one is sent.
        let wanted = request
        async let next = query.exportFocus(wanted)
        try await send(part.data)
        part = try await next
      }
      try await send(part.data)
      return [.stackmeterRows: String(part.rows)]
    }
  }

  /// What the columns of such a file are.
  func focusMetadata(_ request: GatewayRequest) async throws -> Reply {
    var reader = try request.parameters()
    let version = reader.choice("version")
    try reader.finish()
    return Reply(
      .ok, FocusMetadata.json(version == "1.0" ? .validator : .focus, generator: "1"),
      type: "application/json; charset=utf-8")
  }
}

extension RouteDescription {
  private static let version = Parameter(
    "version", .choice(["1.2", "1.0"]),
    "1.2 by default; 1.0 is a form for version 1.0.0 of focus-validator.")

  static let exportFocus = RouteDescription(
    name: "exportFocus",
    summary:
      "The statements of a billing period with their charges as FOCUS, streamed; drafts of closed windows. At most "
      + "\(GatewayLimits.exportsMax) exports at once.",
    parameters: [.month, .subscriptions, version],
    answers: [Answer(.ok, "The whole file.", Content(type: "text/csv", schema: .text))],
    problems: [.tooManyRequests])

  static let focusMetadata = RouteDescription(
    name: "getFocusMetadata", summary: "What the columns of a FOCUS file are.",
    parameters: [version],
    answers: [Answer(.ok, "The metadata, as FOCUS wants it.", .json(.openObject([:])))])
}
