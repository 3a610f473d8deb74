/// Rows of text under titles, for a terminal.
///
/// Numbers are aligned at their decimal points, so that exact values of any length can be compared at a
/// glance. Cells are what their sources say; what a terminal would obey is taken out here.
struct Table {
  enum Alignment {
    case leading
    case decimal
  }

  struct Column {
    let title: String
    let alignment: Alignment

    init(_ title: String, _ alignment: Alignment = .leading) {
      self.title = title
      self.alignment = alignment
    }
  }

  let columns: [Column]
  private(set) var rows: [[String]] = []

  init(_ columns: [Column]) {
    self.columns = columns
  }

  mutating func append(_ cells: [String]) {
    precondition(cells.count == columns.count, "a row has a cell for each column")
    rows.append(
      cells.map { terminalText($0).replacing("\n", with: "\u{FFFD}") })
  }

  /// The title line, then one line for each row, without spaces at the ends.
  func lines() -> [String] {
    let aligned = columns.indices.map { index in alignedColumn(index) }
    var lines: [String] = []
    for row in 0...rows.count {
      var line = aligned.map { $0[row] }.joined(separator: "  ")
      while line.last == " " { line.removeLast() }
      lines.append(line)
    }
    return lines
  }

  /// The cells of one column, title first, all of the same width.
  private func alignedColumn(_ index: Int) -> [String] {
    let cells = rows.map { $0[index] }
    let title = columns[index].title
    switch columns[index].alignment {
    case .leading:
      let width = ([title] + cells).map(\.count).max() ?? 0
      return ([title] + cells).map { $0 + spaces(width - $0.count) }
    case .decimal:
      let parts = cells.map { cell in
        let end = cell.firstIndex { !"-0123456789".contains($0) } ?? cell.endIndex
        return (whole: cell[..<end], rest: cell[end...])
      }
      let wholeWidth = parts.map(\.whole.count).max() ?? 0
      let restWidth = parts.map(\.rest.count).max() ?? 0
      let width = max(wholeWidth + restWidth, title.count)
      return [spaces(width - title.count) + title]
        + parts.map { part in
          spaces(width - restWidth - part.whole.count) + part.whole + part.rest
            + spaces(restWidth - part.rest.count)
        }
    }
  }

  private func spaces(_ count: Int) -> String { String(repeating: " ", count: count) }
}
