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
    let (begun, provider, partBytes, pauses) = (start, provider, limits.focusBytes, focusPauses)
    let (data, walk, rows) = try await bills(
      period, scope, openWindow: start?.openWindow, after: start?.subscription ?? ""
    ) { (walk, reader) throws(BillsProblem) in
      var part = try FocusPart(
        provider, form, reader, begun, walk.openWindow, bytes: partBytes, pauses)
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
  private let pauses: FocusPauses

  var rows: UInt64 { begun.rows + UInt64(writer.rowCount) }

  init(
    _ provider: String, _ form: FocusForm, _ reader: any UsageReader, _ begun: FocusWalk?,
    _ openWindow: Hour, bytes: Int, _ pauses: FocusPauses
  ) throws(BillsProblem) {
    self.bytes = bytes
    self.pauses = pauses
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
      try checkUnchanged(bills.period, reader)
      var paused = pauses.take(begun, bills.period)
      if paused == nil { paused = try rest(bills, reader, from: offset) }
      if let paused, try !write(paused, bills.period) { return }
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
      let charges = try charges(of: bill, bills, reader)
      let whole = FocusPause(
        statement: bill.statement, charged: .zero, stream: charges.stream(), count: 0)
      if try !write(whole, bills.period) { return }
    }
    pause(after: bills.after)
  }

  private func charges(
    of bill: Bill, _ bills: BillWalk, _ reader: any UsageReader
  ) throws(BillsProblem) -> ChargeList {
    do throws(ChargeList.Problem) { return try bills.charges(of: bill, reader) } catch {
      throw .list(bill.statement.subscription.id, error)
    }
  }

  /// Throws where the statement that the part before has the beginning of was closed meanwhile.
  private func checkUnchanged(
    _ period: BillingPeriod, _ reader: any UsageReader
  ) throws(BillsProblem) {
    let filter = StatementFilter(subscriptions: [begun.subscription], period: period.start)
    let isClosed: Bool
    do throws(StoreError) {
      isClosed = try !reader.statements(filter, after: nil, limit: 1).isEmpty
    } catch { throw .list(begun.subscription, .billing(.store(error))) }
    guard isClosed == begun.isClosed else { throw changed }
  }

  private var changed: BillsProblem {
    .sum(
      "the statement of \(begun.subscription) was closed while it was written: begin the file again"
    )
  }

  /// The bill that the part before has the beginning of, rated again up to there: nobody remembers it.
  private mutating func rest(
    _ bills: BillWalk, _ reader: any UsageReader, from offset: Int64
  ) throws(BillsProblem) -> FocusPause {
    let id = begun.subscription
    let bill: Bill?
    do throws(ChargeList.Problem) {
      let subscription: Subscription
      do throws(StoreError) { subscription = try Rating.subscription(id, reader) } catch {
        throw .billing(.store(error))
      }
      bill = try bills.bill(subscription, reader)
    } catch { throw .list(id, error) }
    guard let bill else { throw changed }
    var paused = FocusPause(
      statement: bill.statement, charged: .zero,
      stream: try charges(of: bill, bills, reader).stream(), count: 0)
    while paused.count < offset {
      guard try paused.pass() else { throw changed }
    }
    return paused
  }

  /// Writes the charges of a bill from where it rests on; false where the part is full before they are all in it.
  private mutating func write(
    _ paused: FocusPause, _ period: BillingPeriod
  ) throws(BillsProblem) -> Bool {
    var paused = paused
    let statement = paused.statement
    writer.resume(statement, charged: paused.charged)
    while true {
      guard writer.byteCount < bytes else {
        paused.charged = writer.pause()
        let next = FocusWalk(
          subscription: statement.subscription.id, offset: paused.count,
          isClosed: statement.isClosed, openWindow: begun.openWindow, rows: rows)
        pauses.put(paused, next, period)
        walk = next
        return false
      }
      guard try paused.write(into: &writer) else { break }
    }
    do throws(FocusError) { try writer.end() } catch { throw .focus(error) }
    return true
  }

  private mutating func pause(after subscription: String) {
    walk = FocusWalk(subscription: subscription, openWindow: begun.openWindow, rows: rows)
  }
}
