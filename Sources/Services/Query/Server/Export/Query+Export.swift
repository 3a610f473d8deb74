internal import StackmeterCore
internal import StackmeterStore
package import StackmeterWire

/// The limits of one part of an export.
enum ExportLimits {
  /// Rows and bytes of texts that one part is made of.
  static let rowsMax = 4000
  static let textBytesMax = 1 << 20
  /// A part that is larger when it is written is made anew with a quarter of the rows.
  static let dataBytesMax = 3 << 20
}

extension Query {
  /// One part of a file. The first one fixes the windows: what closes later is in the next file.
  package func exportUsage(
    _ request: ExportUsageRequest
  ) async throws(QueryError) -> ExportUsageResponse {
    try Query.check(request)
    var start: ExportCursor?
    if !request.pageToken.isEmpty {
      start = exportTokens.cursor(request.pageToken, of: request)
      guard start != nil else {
        throw .invalid(
          field: "page_token", problem: "was not given to this caller for this question")
      }
    }
    let filter = try await filter(
      request.caller, request.subscriptions, request.meters, request.series)
    let cursor = start
    let (known, tokens) = (exportTexts.take(request.format), exportTokens)
    let (response, texts) = try await readers.read { (reader) throws(StoreError) in
      let texts =
        if let known { known } else { ExportTexts(request.format, cell: try reader.cell()) }
      var part = ExportPart(request, tokens, texts)
      let response = try part.read(reader, filter, cursor)
      return (response, part.texts)
    }
    exportTexts.give(texts, isEnd: response.nextPageToken.isEmpty)
    return response
  }

  private static func check(_ request: ExportUsageRequest) throws(QueryError) {
    guard request.granularity != .monthly else {
      throw .invalid(field: "granularity", problem: "must be hourly or daily")
    }
    for (hour, field) in [(request.from, "from_window"), (request.to, "to_window")] {
      if let hour, !request.granularity.begins(at: hour) {
        throw .invalid(field: field, problem: "must begin a day (UTC) for daily usage")
      }
    }
    if let from = request.from, let to = request.to, from > to {
      throw .invalid(field: "to_window", problem: "is before from_window")
    }
    if request.restatedSince != nil, request.from != nil {
      throw .invalid(
        field: "restated_since", problem: "is where the windows begin; leave from_window out")
    }
  }
}

/// One part of a file while it is made.
struct ExportPart {
  private let request: ExportUsageRequest
  private let tokens: ExportTokens
  /// What is known of series, for the next part.
  private(set) var texts: ExportTexts

  init(_ request: ExportUsageRequest, _ tokens: ExportTokens, _ texts: ExportTexts) {
    self.request = request
    self.tokens = tokens
    self.texts = texts
  }

  mutating func read(
    _ reader: any UsageReader, _ filter: UsageFilter?, _ start: ExportCursor?
  ) throws(StoreError) -> ExportUsageResponse {
    let windows: Range<Hour>
    if let start { windows = start.windows } else { windows = try closedWindows(reader) }
    var data = start == nil ? ExportRow.head(request) : []
    var rowCount = start?.rows ?? 0
    var writer = ExportRow(request, windows: windows, texts)
    var next: UsageCursor?
    if let filter, !windows.isEmpty {
      var scan = scan(windows, filter)
      var limit = ExportLimits.rowsMax
      let headBytes = data.count
      while true {
        let page = try reader.usage(scan, after: start?.place, limit: limit)
        data.reserveCapacity(page.aggregates.count * 320 + 1024)
        for aggregate in page.aggregates { writer.write(aggregate, to: &data) }
        if data.count <= ExportLimits.dataBytesMax || page.aggregates.count <= 1 {
          next = page.next
          rowCount += UInt64(page.aggregates.count)
          break
        }
        data.removeSubrange(headBytes...)
        limit = max(1, page.aggregates.count / 4)
        scan.bytesMax = .max
      }
    }
    texts = writer.texts
    if next == nil { data += ExportRow.end(request, rows: rowCount, windows: windows) }
    return ExportUsageResponse(
      data: data, rows: rowCount,
      nextPageToken: next.map {
        tokens.token(
          for: ExportCursor(place: $0, windows: windows, rows: rowCount), of: request)
      } ?? "", windows: windows)
  }

  /// The windows of the whole file: those that are asked for and closed now.
  private func closedWindows(_ reader: any UsageReader) throws(StoreError) -> Range<Hour> {
    let granularity = request.granularity
    let kept = try reader.retainedFrom()
    let open = try reader.openWindow()
    let closed = Hour(
      index: granularity.firstHour(ofPeriod: granularity.period(ofHour: open.index)))
    let to = min(request.to ?? closed, closed)
    let from: Hour
    if let asked = request.restatedSince ?? request.from {
      from = asked
    } else {
      from = try firstPeriod(reader, kept, to)
    }
    guard from >= kept || kept.index == 0 else {
      throw StoreError(
        .removed, "windows before \(kept) are no longer kept; begin with that one or a later one")
    }
    return from..<max(from, to)
  }

  /// Where the first whole period that is kept begins and has usage; `to` where there is none.
  private func firstPeriod(
    _ reader: any UsageReader, _ kept: Hour, _ to: Hour
  ) throws(StoreError) -> Hour {
    guard let first = try reader.firstClosedWindow() else { return to }
    let granularity = request.granularity
    let period = granularity.period(ofHour: first.index)
    let start = Hour(index: granularity.firstHour(ofPeriod: period))
    // Of a day whose first hours are no longer kept there is nothing.
    return min(
      to, start >= kept ? start : Hour(index: granularity.firstHour(ofPeriod: period + 1)))
  }

  private func scan(_ windows: Range<Hour>, _ filter: UsageFilter) -> UsageScan {
    var scan: UsageScan
    if request.restatedSince != nil {
      // Usage days before it, as far as their hours are before it.
      scan = UsageScan(
        axis: .usage, hours: Hour(index: ExportPart.firstHour)..<windows.lowerBound,
        granularity: .daily, filter: filter, asOf: windows.upperBound)
      scan.reportedFrom = windows.lowerBound
    } else {
      scan = UsageScan(
        hours: windows, granularity: request.granularity, filter: filter, asOf: windows.upperBound)
    }
    scan.bytesMax = ExportLimits.textBytesMax
    return scan
  }

  /// In front of all usage: instants from outside begin with 1970.
  private static let firstHour: Int64 = 0
}
