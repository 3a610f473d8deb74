package import CStackmeterProto
package import StackmeterCore

/// `Query.ExportUsage`: what closed windows have, as a file, part by part.
package struct ExportUsageRequest: WireMessage, Hashable {
  package enum Format: Hashable, Sendable {
    case csv
    case ndjson
  }

  package var caller: Caller
  /// The first reporting window; nil for the first that is kept.
  package var from: Hour?
  /// Where the windows end; nil for all that are closed.
  package var to: Hour?
  /// Hourly or daily.
  package var granularity: Granularity
  package var format: Format
  /// Empty for all that the caller may see.
  package var subscriptions: [String]
  package var meters: [String]
  package var series: SeriesSelection
  /// What has changed in usage days before it since it; nil for the rows of windows.
  package var restatedSince: Hour?
  package var hasByteOrderMark: Bool
  package var hasEndRecord: Bool
  /// Empty for the first part.
  package var pageToken: String

  package init(
    caller: Caller, from: Hour? = nil, to: Hour? = nil, granularity: Granularity = .hourly,
    format: Format = .csv, subscriptions: [String] = [], meters: [String] = [],
    series: SeriesSelection = .all, restatedSince: Hour? = nil, hasByteOrderMark: Bool = false,
    hasEndRecord: Bool = false, pageToken: String = ""
  ) {
    self.caller = caller
    self.from = from
    self.to = to
    self.granularity = granularity
    self.format = format
    self.subscriptions = subscriptions
    self.meters = meters
    self.series = series
    self.restatedSince = restatedSince
    self.hasByteOrderMark = hasByteOrderMark
    self.hasEndRecord = hasEndRecord
    self.pageToken = pageToken
  }

  package init(wire raw: borrowing Stackmeter__V1__ExportUsageRequest) throws(WireError) {
    caller = try Caller(wire: raw.caller)
    from = raw.from_window == 0 ? nil : try hour(raw.from_window, "from_window")
    to = raw.to_window == 0 ? nil : try hour(raw.to_window, "to_window")
    granularity = try Granularity(wire: raw.granularity) ?? .hourly
    switch raw.format {
    case STACKMETER__V1__EXPORT_FORMAT__EXPORT_FORMAT_CSV: format = .csv
    case STACKMETER__V1__EXPORT_FORMAT__EXPORT_FORMAT_NDJSON: format = .ndjson
    default:
      throw .invalidField(
        field: "format", problem: "is needed: EXPORT_FORMAT_CSV or EXPORT_FORMAT_NDJSON")
    }
    subscriptions = try filter(raw.subscriptions, raw.n_subscriptions, "subscriptions")
      .map(\.asciiLowercased)
    meters = try filter(raw.meters, raw.n_meters, "meters")
    series = try SeriesSelection(wire: raw.selection)
    restatedSince = raw.restated_since == 0 ? nil : try hour(raw.restated_since, "restated_since")
    hasByteOrderMark = raw.byte_order_mark != 0
    hasEndRecord = raw.end_record != 0
    pageToken = text(raw.page_token)
  }

  package func fill(_ raw: inout Stackmeter__V1__ExportUsageRequest, _ packer: borrowing Packer) {
    raw.caller = caller.wire(packer.arena)
    raw.from_window = from?.index ?? 0
    raw.to_window = to?.index ?? 0
    raw.granularity = granularity.wire
    raw.format =
      switch format {
      case .csv: STACKMETER__V1__EXPORT_FORMAT__EXPORT_FORMAT_CSV
      case .ndjson: STACKMETER__V1__EXPORT_FORMAT__EXPORT_FORMAT_NDJSON
      }
    raw.n_subscriptions = subscriptions.count
    raw.subscriptions = packer.arena.texts(subscriptions)
    raw.n_meters = meters.count
    raw.meters = packer.arena.texts(meters)
    raw.selection = series.wire(packer.arena)
    raw.restated_since = restatedSince?.index ?? 0
    raw.byte_order_mark = hasByteOrderMark ? 1 : 0
    raw.end_record = hasEndRecord ? 1 : 0
    raw.page_token = packer.arena.text(pageToken)
  }
}

/// The next part of the file: whole records.
package struct ExportUsageResponse: WireMessage, Hashable {
  package var data: [UInt8]
  /// The records of usage in the file so far.
  package var rows: UInt64
  /// Empty on the last part.
  package var nextPageToken: String
  /// The windows that the whole file has.
  package var windows: Range<Hour>

  package init(data: [UInt8], rows: UInt64, nextPageToken: String, windows: Range<Hour>) {
    self.data = data
    self.rows = rows
    self.nextPageToken = nextPageToken
    self.windows = windows
  }

  package init(wire raw: borrowing Stackmeter__V1__ExportUsageResponse) throws(WireError) {
    data = bytes(raw.data)
    rows = raw.rows
    nextPageToken = text(raw.next_page_token)
    windows = try hours(from: raw.from_window, to: raw.to_window, "from_window", "to_window")
  }

  package func fill(_ raw: inout Stackmeter__V1__ExportUsageResponse, _ packer: borrowing Packer) {
    raw.data = packer.arena.bytes(data)
    raw.rows = rows
    raw.next_page_token = packer.arena.text(nextPageToken)
    raw.from_window = windows.lowerBound.index
    raw.to_window = windows.upperBound.index
  }
}
