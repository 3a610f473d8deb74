package import CStackmeterProto
package import StackmeterCore

/// `Rating.ExportFocus`: the statements of a billing period with their charges, as a file, part by part.
package struct ExportFocusRequest: WireMessage, Hashable {
  package var caller: Caller
  /// `2026-11`.
  package var period: String
  /// In lower case; empty for all that the caller may see.
  package var subscriptions: [String]
  /// Empty for the newest.
  package var version: String
  /// Empty for the first part.
  package var pageToken: String

  package init(
    caller: Caller, period: String, subscriptions: [String] = [], version: String = "",
    pageToken: String = ""
  ) {
    self.caller = caller
    self.period = period
    self.subscriptions = subscriptions.map(\.asciiLowercased)
    self.version = version
    self.pageToken = pageToken
  }

  package init(wire raw: borrowing Stackmeter__V1__ExportFocusRequest) throws(WireError) {
    self.init(
      caller: try Caller(wire: raw.caller), period: text(raw.period),
      subscriptions: try filter(raw.subscriptions, raw.n_subscriptions, "subscriptions"),
      version: text(raw.version), pageToken: text(raw.page_token))
  }

  package func fill(_ raw: inout Stackmeter__V1__ExportFocusRequest, _ packer: borrowing Packer) {
    raw.caller = caller.wire(packer.arena)
    raw.period = packer.arena.text(period)
    raw.n_subscriptions = subscriptions.count
    raw.subscriptions = packer.arena.texts(subscriptions)
    raw.version = packer.arena.text(version)
    raw.page_token = packer.arena.text(pageToken)
  }
}

/// The next part of the file: whole rows.
package struct ExportFocusResponse: WireMessage, Hashable {
  package var data: [UInt8]
  /// The rows in the file so far.
  package var rows: UInt64
  /// Empty on the last part.
  package var nextPageToken: String

  package init(data: [UInt8], rows: UInt64, nextPageToken: String = "") {
    self.data = data
    self.rows = rows
    self.nextPageToken = nextPageToken
  }

  package init(wire raw: borrowing Stackmeter__V1__ExportFocusResponse) throws(WireError) {
    data = bytes(raw.data)
    rows = raw.rows
    nextPageToken = text(raw.next_page_token)
  }

  package func fill(_ raw: inout Stackmeter__V1__ExportFocusResponse, _ packer: borrowing Packer) {
    raw.data = packer.arena.bytes(data)
    raw.rows = rows
    raw.next_page_token = packer.arena.text(nextPageToken)
  }
}
