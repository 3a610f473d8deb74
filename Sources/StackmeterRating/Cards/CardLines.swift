/// The lines of a file that have words, and what is wrong with the others: UTF-8, with line ends of any system.
struct CardLines {
  private(set) var lines: [CardLine] = []
  private(set) var problems: [CardProblem] = []
  /// How many lines the file has, at least one.
  private(set) var count = 1

  /// - Parameter name: What the file is called in problems: "card".
  init(_ bytes: [UInt8], of name: String, bytesMax: Int) {
    guard bytes.count <= bytesMax else {
      problems.append(
        CardProblem(
          CardPlace(line: 1, column: 1),
          "the \(name) has more than \(bytesMax) bytes: divide it into several \(name)s"))
      return
    }
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    let content = bytes.starts(with: mark) ? bytes[3...] : bytes[...]
    let parts = content.split(separator: 0x0A, omittingEmptySubsequences: false)
    for (index, part) in parts.enumerated() {
      let text = part.last == 0x0D ? part.dropLast() : part
      count = index + 1
      guard let text = String(validating: text, as: UTF8.self) else {
        problems.append(
          CardProblem(
            CardPlace(line: count, column: 1),
            "the line is not UTF-8: save the file with the encoding UTF-8"))
        continue
      }
      do throws(CardProblem) {
        let line = try CardLine(text[...], number: count)
        if !line.isEmpty { lines.append(line) }
      } catch { problems.append(error) }
    }
  }
}
