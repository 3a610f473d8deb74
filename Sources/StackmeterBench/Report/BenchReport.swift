internal import StackmeterCore

/// What a run has measured, part by part.
package struct BenchReport: Sendable {
  package struct Part: Sendable {
    let name: String
    let figures: [Figure]
  }

  private(set) var parts: [Part] = []
  /// Why there are no more parts; nil where all are there.
  var failure: String?

  package init() {}

  package mutating func append(_ name: String, _ figures: [Figure]) {
    parts.append(Part(name: name, figures: figures))
  }

  /// A block of lines for each part, numbers below each other.
  package func text() -> String {
    let all = parts.flatMap(\.figures)
    let nameWidth = all.map(\.name.count).max() ?? 0
    let numberWidth = all.map(\.grouped.count).max() ?? 0
    return parts.map { part in
      part.name + "\n"
        + part.figures.map { figure in
          "  " + figure.name + spaces(nameWidth - figure.name.count + 2)
            + spaces(numberWidth - figure.grouped.count) + figure.grouped + " " + figure.unit
            + "\n"
        }.joined()
    }.joined(separator: "\n")
  }

  /// An object of objects: part, name, then the number and its unit.
  package func json() -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      for part in parts {
        writer.member(
          part.name,
          object: { writer in
            for figure in part.figures {
              writer.member(
                figure.name,
                object: { writer in
                  writer.member("value", raw: figure.number)
                  writer.member("unit", string: figure.unit)
                })
            }
          })
      }
    }
    return writer.bytes + [UInt8(ascii: "\n")]
  }

  private func spaces(_ count: Int) -> String { String(repeating: " ", count: count) }
}
