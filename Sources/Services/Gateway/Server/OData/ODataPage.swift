internal import StackmeterOData

/// Where the rows of an entity set come from, page by page, in an order that stays.
protocol ODataSource: Sendable {
  /// The rows behind a token that it gave before, or the first ones; and the token of what follows, nil at the end.
  func rows(after token: String?) async throws -> (rows: [[ODataValue]], next: String?)
}

/// One answer: the rows that a filter wants, from as many pages of the source as it takes, within limits.
struct ODataPage: Sendable {
  /// No answer has more rows; the source's own pages may have fewer.
  static let rowsMax = 1000
  /// A filter that wants few of the source's rows ends an answer after so many of its pages, with a link to go on.
  static let pagesMax = 20

  private(set) var rows: [[ODataValue]] = []
  private(set) var next: String?

  init(_ set: ODataSet, _ options: ODataOptions, _ source: any ODataSource) async throws {
    next = options.skipToken
    guard options.top != 0 else {
      next = nil
      return
    }
    for _ in 0..<ODataPage.pagesMax {
      let page = try await source.rows(after: next)
      next = page.next
      for row in page.rows where options.filter?.isTrue({ row[$0] }) != false {
        rows.append(row)
        if rows.count == options.top {
          next = nil
          return
        }
      }
      // A page more may have as many rows again.
      if next == nil || rows.count + page.rows.count > ODataPage.rowsMax { return }
    }
  }
}
