internal import StackmeterCore
internal import StackmeterWire

/// An explanation as text, page by page: some lines for each event, or a line of JSON.
struct ExplainText {
  let isJSON: Bool
  private var count = 0

  init(isJSON: Bool) {
    self.isJSON = isJSON
  }

  mutating func page(_ response: ExplainResponse) -> String {
    count += response.parts.count
    return response.parts.map { isJSON ? json($0) : text($0) }.joined()
  }

  /// What goes after the last page.
  func end(_ response: ExplainResponse) -> String {
    guard !isJSON else {
      var writer = JSONWriter()
      writer.object { writer in
        writer.member("aggregation", string: response.aggregation.rawValue)
        writer.member("aggregate", string: response.aggregate.description)
        writer.member("explained", string: response.explained.description)
        writer.member("provisional", response.isProvisional)
        writer.member("problem", string: response.problem)
      }
      return String(decoding: writer.bytes, as: UTF8.self) + "\n"
    }
    let mark = response.isProvisional ? ", provisional" : ""
    let lines = [
      "\(count) parts make \(response.explained); the aggregate (\(response.aggregation.rawValue)) "
        + "is \(response.aggregate)\(mark)"
    ]
    let problem = response.problem.isEmpty ? [] : ["WRONG: \(response.problem)"]
    return (lines + problem).map { $0 + "\n" }.joined()
  }

  private func text(_ part: ExplainedPart) -> String {
    let event = part.usage.event
    var lines = [
      "\(part.usage.position)  \(part.usage.reportedTime)  \(terminalText(event.source))  "
        + "\(terminalText(event.id))",
      "    \(part.part) of \(event.quantity) in \(event.usageStart) to \(event.usageEnd), window "
        + "\(part.window), \(terminalText(event.series.resource.uri))",
    ]
    if let position = part.usage.takesBack, let correction = event.correction {
      lines.append(
        "    \(correction.kind.field) \(terminalText(correction.targetID)) at position \(position)")
    }
    return lines.map { $0 + "\n" }.joined()
  }

  private func json(_ part: ExplainedPart) -> String {
    var writer = JSONWriter()
    writer.object { $0.members(of: part) }
    return String(decoding: writer.bytes, as: UTF8.self) + "\n"
  }
}
