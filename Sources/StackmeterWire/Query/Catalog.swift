package import CStackmeterProto
package import StackmeterCore

/// `Query.ListMeters`.
package struct ListMetersRequest: WireMessage, Hashable {
  package init() {}
  package init(wire raw: borrowing Stackmeter__V1__ListMetersRequest) {}
  package func fill(_ raw: inout Stackmeter__V1__ListMetersRequest, _ packer: borrowing Packer) {}
}

/// The meter catalog, in the order of ids.
package struct ListMetersResponse: WireMessage, Hashable {
  package var meters: [Meter]

  package init(meters: [Meter]) {
    self.meters = meters
  }

  package init(wire raw: borrowing Stackmeter__V1__ListMetersResponse) throws(WireError) {
    meters = try elements(raw.meters, raw.n_meters) { (raw) throws(WireError) in
      guard let aggregation = Aggregation(rawValue: text(raw.aggregation)) else {
        throw .invalidField(
          field: "meters.aggregation", problem: "\"\(text(raw.aggregation))\" is unknown")
      }
      return Meter(
        id: text(raw.id), name: text(raw.name), unit: text(raw.unit), category: text(raw.category),
        resourceProvider: text(raw.resource_provider), aggregation: aggregation,
        isBillable: raw.billable != 0)
    }
  }

  package func fill(_ raw: inout Stackmeter__V1__ListMetersResponse, _ packer: borrowing Packer) {
    raw.n_meters = meters.count
    raw.meters = packer.arena.messages(meters) { (meter, raw: inout Stackmeter__V1__Meter) in
      raw.id = packer.arena.text(meter.id)
      raw.name = packer.arena.text(meter.name)
      raw.unit = packer.arena.text(meter.unit)
      raw.category = packer.arena.text(meter.category)
      raw.resource_provider = packer.arena.text(meter.resourceProvider)
      raw.aggregation = packer.arena.text(meter.aggregation.rawValue)
      raw.billable = meter.isBillable ? 1 : 0
    }
  }
}

/// `Query.ListWindows`: newest first.
package struct ListWindowsRequest: WireMessage, Hashable {
  package static let pageSizeMax = 1000
  package static let pageSizeDefault = 24

  package var caller: Caller
  /// Windows before this one; nil for the newest.
  package var before: Hour?
  package var pageSize: UInt32

  package init(caller: Caller, before: Hour? = nil, pageSize: UInt32 = 0) {
    self.caller = caller
    self.before = before
    self.pageSize = pageSize
  }

  package init(wire raw: borrowing Stackmeter__V1__ListWindowsRequest) throws(WireError) {
    caller = try Caller(wire: raw.caller)
    before = raw.before_window == 0 ? nil : Hour(index: raw.before_window)
    pageSize = raw.page_size
  }

  package func fill(_ raw: inout Stackmeter__V1__ListWindowsRequest, _ packer: borrowing Packer) {
    raw.before_window = before?.index ?? 0
    raw.page_size = pageSize
    raw.caller = caller.wire(packer.arena)
  }
}

/// A page of reporting windows.
package struct ListWindowsResponse: WireMessage, Hashable {
  package var windows: [ReportingWindow]
  /// The sources that are not complete up to the end of the newest closed window of these.
  package var missing: MissingSources

  package init(windows: [ReportingWindow], missing: MissingSources = .none) {
    self.windows = windows
    self.missing = missing
  }

  package init(wire raw: borrowing Stackmeter__V1__ListWindowsResponse) throws(WireError) {
    missing = MissingSources(wire: raw.missing)
    windows = try elements(raw.windows, raw.n_windows) { (raw) throws(WireError) in
      ReportingWindow(
        hour: Hour(index: raw.window), isClosed: raw.closed != 0, aggregates: raw.aggregates,
        isFinal: raw.final != 0, missingAtClose: MissingSources(wire: raw.missing_at_close),
        cells: try elements(raw.cells, raw.n_cells) { (raw) throws(WireError) in
          CellWindow(
            cell: text(raw.cell), isClosed: raw.closed != 0, aggregates: raw.aggregates,
            missingAtClose: MissingSources(wire: raw.missing_at_close))
        })
    }
  }

  package func fill(_ raw: inout Stackmeter__V1__ListWindowsResponse, _ packer: borrowing Packer) {
    raw.missing = missing.wire(packer.arena)
    raw.n_windows = windows.count
    raw.windows = packer.arena.messages(windows) {
      (window, raw: inout Stackmeter__V1__ReportingWindow) in
      raw.window = window.hour.index
      raw.closed = window.isClosed ? 1 : 0
      raw.aggregates = window.aggregates
      raw.final = window.isFinal ? 1 : 0
      raw.missing_at_close = window.missingAtClose.wire(packer.arena)
      raw.n_cells = window.cells.count
      raw.cells = packer.arena.messages(window.cells) {
        (cell, raw: inout Stackmeter__V1__CellWindow) in
        raw.cell = packer.arena.text(cell.cell)
        raw.closed = cell.isClosed ? 1 : 0
        raw.aggregates = cell.aggregates
        raw.missing_at_close = cell.missingAtClose.wire(packer.arena)
      }
    }
  }
}
