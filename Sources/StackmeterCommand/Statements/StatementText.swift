internal import StackmeterCore

/// A statement's document as a text for people: a line for each of its lines, amounts at the end.
struct StatementText {
  private let document: JSONValue

  init(_ bytes: [UInt8]) {
    document = (try? JSONValue(parsing: bytes, limits: .batch)) ?? .null
  }

  var text: String {
    let number = document.text("number")
    let state = document.flag("provisional") ? "provisional draft" : "draft"
    let name = document.text("displayName")
    var lines = [
      "\(number.isEmpty ? state : "statement \(number)") of \(document.text("subscriptionId"))"
        + (name.isEmpty ? "" : " (\(name))") + " for \(document.text("period"))"
    ]
    var table = Table([.init("LINE"), .init(document.text("currency"), .decimal)])
    for line in document.list("lines") {
      let day = line.text("usageDay")
      let place = day.isEmpty ? line.text("period") : day
      let title = line.text("description")
      table.append([
        line.flag("adjustment") ? "adjustment for \(place): \(title)" : title, line.text("amount"),
      ])
    }
    table.append(["total", document.text("total")])
    lines += table.lines().map { "  \($0)" }
    for unrated in document.list("unrated") {
      lines.append(
        "  no price: \(unrated.text("meterId")) in \(unrated.text("period")): \(unrated.text("quantity"))"
      )
    }
    let note = document.text("taxNote")
    if !note.isEmpty { lines.append("  \(note)") }
    return terminalText(lines.joined(separator: "\n")) + "\n"
  }
}

extension JSONValue {
  fileprivate subscript(name: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.name == name }?.value
  }

  fileprivate func text(_ name: String) -> String { self[name]?.string ?? "" }
  fileprivate func flag(_ name: String) -> Bool { self[name] == .bool(true) }
  fileprivate func list(_ name: String) -> [JSONValue] {
    guard case .array(let elements)? = self[name] else { return [] }
    return elements
  }
}
