internal import StackmeterBilling
internal import StackmeterCore
internal import StackmeterRating
internal import StackmeterStore
package import StackmeterWire

/// The statements of a billing period with their charges as a FOCUS file, part by part.
extension Rating {
  package func exportFocus(
    _ request: ExportFocusRequest
  ) async throws(QueryError) -> ExportFocusResponse {
    let period = try period(request.period)
    guard let form = FocusForm(version: request.version) else {
      throw .invalid(field: "version", problem: "must be 1.2 or 1.0")
    }
    var start: FocusWalk?
    if !request.pageToken.isEmpty {
      start = focusTokens.walk(request.pageToken, of: request)
      guard start != nil else {
        throw .invalid(
          field: "page_token", problem: "was not given to this caller for this question")
      }
    }
    guard let scope = try await query.filter(request.caller, request.subscriptions, []) else {
      let writer = FocusWriter(provider: provider, catalog: .empty, form: form)
      return ExportFocusResponse(data: writer.bytes, rows: 0)
    }
    let (begun, provider, partBytes) = (start, provider, limits.focusBytes)
    let (data, walk, rows) = try await bills(
      period, scope, openWindow: start?.openWindow, after: start?.subscription ?? ""
    ) { (walk, reader) throws(BillsProblem) in
      var part = try FocusPart(
        provider, form, reader, begun, walk.openWindow, bytes: partBytes)
      try part.read(&walk, reader)
      return (part.writer.bytes, part.walk, part.rows)
    }
    return ExportFocusResponse(
      data: data, rows: rows,
      nextPageToken: walk.map { focusTokens.token(for: $0, of: request) } ?? "")
  }

  /// Who provides and invoices; FOCUS wants a name.
  private var provider: String { issuer.isEmpty ? "Operator" : issuer }
}

extension FocusForm {
  /// By the version that a client asks for; empty for the newest.
  package init?(version: String) {
    switch version {
    case "", "1.2": self = .focus
    case "1.0": self = .validator
    default: return nil
    }
  }
}

/// One part of a file while it is made.
private struct FocusPart {
  private(set) var writer: FocusWriter
  /// Where the next part begins; nil where this is the last one.
  private(set) var walk: FocusWalk?
  private var begun: FocusWalk
  /// The part is full when it has so many.
  private let bytes: Int

  var rows: UInt64 { begun.rows + UInt64(writer.rowCount) }

  init(
    _ provider: String, _ form: FocusForm, _ reader: any UsageReader, _ begun: FocusWalk?,
    _ openWindow: Hour, bytes: Int
  ) throws(BillsProblem) {
    self.bytes = bytes
    let meters: [Meter]
    do throws(StoreError) { meters = try reader.meters() } catch {
      throw .list("", .billing(.store(error)))
    }
    writer = FocusWriter(
      provider: provider, catalog: (try? MeterCatalog(meters)) ?? .empty, form: form,
      isContinued: begun != nil)
    self.begun = begun ?? FocusWalk(subscription: "", openWindow: openWindow, rows: 0)
  }

  mutating func read(_ bills: inout BillWalk, _ reader: any UsageReader) throws(BillsProblem) {
    if let offset = begun.offset {
      let bill = try rest(bills, reader)
      if try !write(bill, from: offset) { return }
    }
    while writer.byteCount < bytes, !bills.isLate {
      let bill: Bill?
      do throws(ChargeList.Problem) { bill = try bills.next(reader) } catch {
        throw .list(bills.after, error)
      }
      guard let bill else {
        // The end, or no time for more.
        if bills.isLate { pause(after: bills.after) }
        return
      }
      if try !write(bill, from: 0) { return }
    }
    pause(after: bills.after)
  }

  /// The bill that the part before has the beginning of.
  private func rest(_ bills: BillWalk, _ reader: any UsageReader) throws(BillsProblem) -> Bill {
    let id = begun.subscription
    let bill: Bill?
    do throws(ChargeList.Problem) {
      let subscription: Subscription
      do throws(StoreError) { subscription = try Rating.subscription(id, reader) } catch {
        throw .billing(.store(error))
      }
      bill = try bills.bill(subscription, reader)
    } catch { throw .list(id, error) }
    guard let bill, bill.statement.isClosed == begun.isClosed else {
      throw .sum("the statement of \(id) was closed while it was written: begin the file again")
    }
    return bill
  }

  /// Writes the charges of a bill from a number of them on; false where the part is full before they are all in it.
  private mutating func write(_ bill: Bill, from offset: Int64) throws(BillsProblem) -> Bool {
    writer.begin(bill.statement)
    var count: Int64 = 0
    var full: Int64?
    var failure: FocusError?
    do throws(ChargeList.Problem) {
      try bill.charges.visit { charge, _ in
        defer { count += 1 }
        guard full == nil, failure == nil else { return }
        do throws(FocusError) {
          if count < offset {
            try writer.pass(charge)
          } else if writer.byteCount < bytes {
            try writer.add(charge)
          } else {
            full = count
          }
        } catch { failure = error }
      }
    } catch { throw .list(bill.statement.subscription.id, error) }
    if let failure { throw .focus(failure) }
    if let full {
      writer.pause()
      walk = FocusWalk(
        subscription: bill.statement.subscription.id, offset: full,
        isClosed: bill.statement.isClosed, openWindow: begun.openWindow, rows: rows)
      return false
    }
    do throws(FocusError) { try writer.end() } catch { throw .focus(error) }
    return true
  }

  private mutating func pause(after subscription: String) {
    walk = FocusWalk(subscription: subscription, openWindow: begun.openWindow, rows: rows)
  }
}
