/// Writes HTML text: elements one in another, and everything from outside escaped.
struct HTMLWriter: Sendable {
  private(set) var text = "<!doctype html>\n<html lang=\"en\">\n"

  /// An element on lines of its own.
  mutating func element(
    _ name: String, class style: String = "", _ body: (inout HTMLWriter) -> Void
  ) {
    open(name, style)
    text += "\n"
    body(&self)
    close(name)
  }

  /// An element of words of ours.
  mutating func words(_ name: String, class style: String = "", span: Int = 1, _ words: String) {
    open(name, style, span: span)
    text += HTMLWriter.escaped(words)
    close(name)
  }

  /// An element of a text from outside, kept apart from what stands around it whatever direction it is written in.
  mutating func foreign(
    _ name: String, class style: String = "", span: Int = 1, _ foreign: String
  ) {
    open(name, style, span: span)
    text += "<bdi>" + HTMLWriter.escaped(foreign) + "</bdi>"
    close(name)
  }

  /// Markup of ours, as it is.
  mutating func raw(_ markup: String) { text += markup + "\n" }

  private mutating func open(_ name: String, _ style: String, span: Int = 1) {
    text += "<" + name
    if !style.isEmpty { text += " class=\"\(style)\"" }
    if span > 1 { text += " colspan=\"\(span)\"" }
    text += ">"
  }

  private mutating func close(_ name: String) { text += "</" + name + ">\n" }

  /// A text that is no markup. What no page shows becomes U+FFFD.
  static func escaped(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      case "'": escaped += "&#39;"
      case "\u{0}"..<"\u{20}", "\u{7F}"..<"\u{A0}": escaped += "\u{FFFD}"
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }
}
