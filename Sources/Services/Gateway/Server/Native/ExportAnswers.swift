internal import Crypto
internal import GRPCCore
internal import HTTPTypes
internal import QueryClient
internal import StackmeterCore
internal import StackmeterWire
internal import Synchronization

/// `/v1/exports`: what closed windows have, as CSV or NDJSON, and statements as FOCUS; streamed.
struct ExportAnswers: Sendable {
  let query: QueryClient
  let places = ExportPlaces()

  init(query: QueryClient) {
    self.query = query
  }

  /// The windows are fixed when the answer begins, and are in its headers. A client knows by HTTP itself that it has
  /// all: the answer has no length, but an end, and behind it how many rows there were.
  func usage(_ request: GatewayRequest) async throws -> Reply {
    var reader = try request.parameters()
    let granularity = reader.granularity()
    var from = reader.hour("from", alignedTo: granularity)
    let to = reader.hour("to", alignedTo: granularity)
    if let after = reader.hour("afterWindow", alignedTo: granularity) {
      if from != nil { reader.add("afterWindow", "excludes from") }
      from = Hour(
        index: granularity.firstHour(ofPeriod: granularity.period(ofHour: after.index) + 1))
    }
    let restatedSince = reader.hour("restatedSince", alignedTo: granularity)
    if restatedSince != nil, from != nil {
      reader.add("restatedSince", "is where the windows begin; leave from and afterWindow out")
    }
    let format = reader.exportFormat()
    let (mark, end) = (reader.flag("bom"), reader.flag("end"))
    if mark, format != .csv { reader.add("bom", "is for CSV") }
    let series = reader.seriesSelection()
    try reader.finish()
    let question = ExportUsageRequest(
      caller: request.caller, from: from, to: to, granularity: granularity, format: format,
      subscriptions: try reader.visibleSubscriptions(to: request.caller),
      meters: reader.texts("meter"), series: series, restatedSince: restatedSince,
      hasByteOrderMark: mark, hasEndRecord: end)
    let place = try places.next()
    let first = try await namingParameters { () async throws(RPCError) in
      try await query.exportUsage(question)
    }
    return reply(question, first, place)
  }

  private func reply(
    _ question: ExportUsageRequest, _ first: ExportUsageResponse, _ place: ExportPlace
  ) -> Reply {
    let (from, to) = (first.windows.lowerBound, first.windows.upperBound)
    let isCSV = question.format == .csv
    let kind = question.restatedSince == nil ? "usage" : "restated"
    var headers = HTTPFields()
    headers[.contentType] =
      isCSV ? "text/csv; charset=utf-8; header=present" : "application/x-ndjson"
    let name =
      "stackmeter-\(kind)-\(from.digits)-\(to.digits)"
      + (isCSV ? ".csv" : ".ndjson")
    headers[.contentDisposition] = "attachment; filename=\"\(name)\""
    headers[.stackmeterFrom] = from.description
    headers[.stackmeterTo] = to.description
    headers[.trailer] = HTTPField.Name.stackmeterRows.rawName
    let tag =
      question.caller.seesTheSameForEver ? ExportAnswers.tag(of: question, first.windows) : nil
    return Reply(headers: headers, tag: tag) { send in
      defer { place.give() }
      var part = first
      while !part.nextPageToken.isEmpty {
        var request = question
        request.pageToken = part.nextPageToken
        // The next part is made while this one is sent.
        let wanted = request
        async let next = query.exportUsage(wanted)
        try await send(part.data)
        part = try await next
      }
      try await send(part.data)
      return [.stackmeterRows: String(part.rows)]
    }
  }

  /// The same question about the same closed windows has the same bytes.
  private static func tag(of question: ExportUsageRequest, _ windows: Range<Hour>) -> String {
    var question = question
    question.from = windows.lowerBound
    question.to = windows.upperBound
    return hexadecimal(SHA256.hash(data: [1] + question.packed()).prefix(16))
  }
}

extension HTTPField.Name {
  static let stackmeterFrom = HTTPField.Name("Stackmeter-From")!
  static let stackmeterTo = HTTPField.Name("Stackmeter-To")!
  static let stackmeterRows = HTTPField.Name("Stackmeter-Rows")!
}

/// Exports that are made at once. The next is refused at once.
final class ExportPlaces: Sendable {
  private let taken = Atomic<Int>(0)

  func next() throws(HTTPProblem) -> ExportPlace {
    guard let place = take() else {
      throw HTTPProblem(
        .tooManyRequests, "TooManyRequests",
        "\(GatewayLimits.exportsMax) exports are being made already; retry after a pause"
      ).retry(afterSeconds: 5)
    }
    return place
  }

  private func take() -> ExportPlace? {
    guard taken.add(1, ordering: .relaxed).newValue <= GatewayLimits.exportsMax else {
      taken.subtract(1, ordering: .relaxed)
      return nil
    }
    return ExportPlace(self)
  }

  fileprivate func give() {
    taken.subtract(1, ordering: .relaxed)
  }
}

/// One of the places. Given back once, at the latest when nobody has it any more.
final class ExportPlace: Sendable {
  private let places: ExportPlaces
  private let isGiven = Atomic<Bool>(false)

  fileprivate init(_ places: ExportPlaces) {
    self.places = places
  }

  deinit { give() }

  func give() {
    if !isGiven.exchange(true, ordering: .relaxed) { places.give() }
  }
}

extension ParameterReader {
  fileprivate mutating func exportFormat() -> ExportUsageRequest.Format {
    choice("format") == "ndjson" ? .ndjson : .csv
  }
}
