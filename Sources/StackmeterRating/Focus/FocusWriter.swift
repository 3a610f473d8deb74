package import StackmeterCore

/// Writes the statements of billing periods as one FOCUS file: charges in, CSV out.
///
/// For each statement `begin`, then all its charges in any order, then `end`. What it holds is the row in hand and what
/// was written since `take` was called, so that a file of any length needs little memory. The README of this folder
/// says what each column is.
package struct FocusWriter: Sendable {
  /// Who provides, publishes and invoices: the operator, by the name that finance knows.
  package let provider: String
  package let form: FocusForm
  private let catalog: MeterCatalog
  private var meters: [ExactText: FocusMeter] = [:]
  private var memory = FocusMemory()
  private var csv = CSVWriter()
  private var open: (statement: Statement, bill: FocusBill, charged: Cost)?
  /// The rows that were written, without that of the names.
  package private(set) var rowCount = 0

  /// The first row, the names of the columns, is written at once, but where a file is gone on with.
  package init(
    provider: String, catalog: MeterCatalog, form: FocusForm = .focus, isContinued: Bool = false
  ) {
    self.provider = provider
    self.catalog = catalog
    self.form = form
    guard !isContinued else { return }
    csv.row(
      (FocusColumn.allCases.map(\.rawValue) + form.shims.map(\.name)).map { .literal($0) })
  }

  /// The bytes since this was called last.
  package mutating func take() -> [UInt8] { csv.take() }

  /// What was written since then.
  package var bytes: [UInt8] { csv.bytes }
  package var byteCount: Int { csv.bytes.count }

  /// Begins the rows of a statement: a draft gets an invoice id of its own, which is another when it is closed.
  package mutating func begin(_ statement: Statement) {
    precondition(open == nil, "the statement before this has no end")
    open = (statement, FocusBill(statement, provider: provider), .zero)
    memory.forget()
  }

  /// Writes a charge of the statement that was begun.
  package mutating func add(_ charge: Charge) throws(FocusError) {
    try count(charge)
    guard let open else { return }
    let meter = meter(charge.meter)
    func row() -> FocusRow { FocusRow(charge, of: meter, on: open.bill) }
    let template = memory.template(of: charge, form, row)
    let contracted = charge.cost.focusText
    let isOfUsage = charge.kind != .minimum
    let consumed = isOfUsage ? charge.quantity.focusText : ""
    let priced =
      !isOfUsage || charge.rate == nil || charge.pricedQuantity == charge.quantity
      ? consumed : charge.pricedQuantity.focusText
    template.write(
      FocusCells(
        costs: (
          charge.listPrice == charge.price ? contracted : charge.listCost.focusText, contracted
        ), consumed: consumed, priced: priced, start: memory.text(charge.start),
        end: memory.text(charge.end),
        window: charge.usage.map { memory.text($0.window.start) } ?? "",
        isProvisional: charge.isProvisional, resource: memory.resource(charge, row)), &csv)
    rowCount += 1
  }

  private mutating func count(_ charge: Charge) throws(FocusError) {
    guard var open else { preconditionFailure("no statement was begun") }
    let statement = open.statement
    guard charge.subscription.hasSameBytes(as: statement.subscription.id),
      charge.period == statement.period || (charge.period < statement.period && charge.isAdjustment)
    else { throw .foreign(subscription: charge.subscription, period: charge.period) }
    guard let charged = open.charged.adding(charge.cost) else {
      throw .tooLarge(subscription: charge.subscription)
    }
    open.charged = charged
    self.open = open
  }

  /// Leaves a statement whose other rows are in the next part of the file, and says what its charges have come to.
  package mutating func pause() -> Cost {
    defer { open = nil }
    return open?.charged ?? .zero
  }

  /// Goes on with a statement that was left.
  package mutating func resume(_ statement: Statement, charged: Cost) {
    begin(statement)
    open?.charged = charged
  }

  /// Writes the lines that are of no charge, and what the rounding of the others makes; throws where the charges are
  /// not those of the lines.
  package mutating func end() throws(FocusError) {
    guard let (statement, bill, charged) = open else {
      preconditionFailure("no statement was begun")
    }
    open = nil
    var exact: Cost? = .zero
    var rounded: Cost? = .zero
    for line in statement.lines {
      guard line.kind == .usage || line.kind == .minimum else {
        write(FocusRow(line, on: bill, isProvisional: statement.isProvisional))
        continue
      }
      exact = exact.flatMap { $0.adding(line.cost) }
      rounded = rounded.flatMap { sum in line.amount.cost.flatMap { sum.adding($0) } }
    }
    guard let exact, let rounded, let difference = rounded.subtracting(charged) else {
      throw .tooLarge(subscription: statement.subscription.id)
    }
    guard exact == charged else {
      throw .doesNotTie(subscription: statement.subscription.id, lines: exact, charges: charged)
    }
    if !difference.isZero {
      write(
        FocusRow(
          rounding: difference, by: statement.rounding, on: bill,
          isProvisional: statement.isProvisional))
    }
  }

  private mutating func meter(_ id: String) -> FocusMeter {
    let key = ExactText(id)
    if let known = meters[key] { return known }
    let meter = FocusMeter(id, catalog[id])
    meters[key] = meter
    return meter
  }

  private mutating func write(_ row: FocusRow) {
    // As they are: FOCUS wants texts unaltered. Whoever opens the file in a spreadsheet imports it as text.
    let cells = FocusColumn.allCases.map { CSVWriter.Cell.literal(row.text($0) ?? "") }
    let shims = form.shims.map { shim in
      CSVWriter.Cell.literal(shim.column.flatMap { row.text($0) } ?? "")
    }
    csv.row(cells + shims)
    rowCount += 1
  }
}

/// Why a statement cannot be written as FOCUS.
package enum FocusError: Error, Equatable, CustomStringConvertible {
  case tooLarge(subscription: String)
  /// A charge that does not belong on the statement.
  case foreign(subscription: String, period: BillingPeriod)
  /// The charges are not those that the lines were made of.
  case doesNotTie(subscription: String, lines: Cost, charges: Cost)

  package var description: String {
    switch self {
    case .tooLarge(let subscription):
      "the charges of \(subscription) sum to more than fits"
    case .foreign(let subscription, let period):
      "a charge of subscription \(subscription) for \(period) does not belong on this statement"
    case .doesNotTie(let subscription, let lines, let charges):
      "the lines of the statement of \(subscription) come to \(lines), its charges to \(charges): rate the period "
        + "again with the versions of the card that the statement names"
    }
  }
}
