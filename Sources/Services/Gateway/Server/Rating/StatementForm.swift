internal import HTTPTypes
internal import StackmeterCore
internal import StackmeterRating
internal import StackmeterWire

/// What a statement is answered as. CSV and the page are made of its document and nothing else, so that those of a
/// closed statement never change.
enum StatementForm: String, CaseIterable {
  /// The document, byte by byte.
  case json
  /// A row for each line.
  case csv
  /// A page to be printed.
  case html

  static let parameter = Parameter(
    "format", .choice(allCases.map(\.rawValue)),
    "`json`, the document, by default; `csv`, a row for each line; `html`, a page to be printed.")

  /// Nothing runs in the page, nothing is loaded by it, and no page of another origin shows it.
  static let pagePolicy =
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"

  init(_ reader: inout ParameterReader) {
    self = reader.choice("format").flatMap(StatementForm.init) ?? .json
  }

  /// - Parameter issuer: The operator, by the name that finance knows; empty for none.
  func reply(
    _ found: GetStatementResponse, issuer: String
  ) throws(StatementDocumentError) -> Reply {
    switch self {
    case .json: return Reply(.ok, found.document, type: "application/json; charset=utf-8")
    case .csv:
      let statement = try Statement(parsing: found.document)
      var writer = CSVWriter()
      writer.statementColumns()
      writer.statement(statement)
      let name = statement.number ?? "draft-\(statement.period)"
      return Reply(
        .ok, headers: [.contentDisposition: "attachment; filename=\"statement-\(name).csv\""],
        writer.bytes, type: "text/csv; charset=utf-8; header=present")
    case .html:
      let page = try Statement(parsing: found.document).html(issuer: issuer)
      return Reply(
        .ok, headers: [.contentSecurityPolicy: StatementForm.pagePolicy], Array(page.utf8),
        type: "text/html; charset=utf-8")
    }
  }
}
