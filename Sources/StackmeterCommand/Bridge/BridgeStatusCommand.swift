internal import ArgumentParser
internal import BridgeClient
internal import StackmeterCore
internal import StackmeterWire

/// `stackmeter bridge status`.
struct BridgeStatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show how the bridge is.",
    discussion: "Exits with 1 while an alert is open.")

  @OptionGroup var options: SettingsOptions
  @Flag(help: "As a JSON object.")
  var json = false

  func run() async throws {
    try await reportingFailure {
      let settings = try options.settings()
      let status = try await withService("bridge", of: settings) { channel in
        try await BridgeClient(channel).status()
      }
      let text = BridgeText(status)
      StandardStream.output.write(bytes: json ? text.json() : Array(text.text().utf8))
      if !status.alerts.isEmpty { throw ExitCode(1) }
    }
  }
}

/// `stackmeter bridge dead-letters`.
struct BridgeDeadLettersCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dead-letters", abstract: "List what the commerce service has refused.")

  @OptionGroup var options: SettingsOptions
  @Flag(help: "As JSON, one object on each line, with the records.")
  var json = false

  func run() async throws {
    try await reportingFailure {
      let settings = try options.settings()
      let asJSON = json
      try await withService("bridge", of: settings) { channel in
        var table = Table([
          .init("NUMBER"), .init("WINDOW"), .init("RECORD"), .init("CODE"), .init("REASON"),
        ])
        var after: UInt64? = 0
        while let next = after {
          let page = try await BridgeClient(channel).listDeadLetters(
            ListDeadLettersRequest(after: next))
          for letter in page.letters {
            if asJSON {
              StandardStream.output.write(bytes: Self.line(letter))
            } else {
              table.append([
                "\(letter.number)", letter.window.description, letter.id, letter.code,
                letter.reason,
              ])
            }
          }
          after = page.nextAfter
        }
        if !asJSON {
          StandardStream.output.write(table.lines().map { $0 + "\n" }.joined())
        }
      }
    }
  }

  static func line(_ letter: DeadLetter) -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("number", letter.number)
      writer.member("id", string: letter.id)
      writer.member("window", string: letter.window.description)
      writer.member("code", string: letter.code)
      writer.member("reason", string: letter.reason)
      writer.member("refused", string: letter.refused.description)
      writer.member("record", raw: String(decoding: letter.record, as: UTF8.self))
    }
    return writer.bytes + [UInt8(ascii: "\n")]
  }
}

/// The bridge's status, for people and for programs.
struct BridgeText {
  let status: BridgeStatus

  init(_ status: BridgeStatus) {
    self.status = status
  }

  func text() -> String {
    var lines = [("state", status.state)]
    if status.state != "unregistered" {
      lines += [
        ("site", terminalText(status.site)), ("model", status.model),
        ("endpoint", status.endpoint.isEmpty ? "none" : terminalText(status.endpoint)),
        ("expires", status.expires?.description ?? "never"),
        ("read up to", status.nextWindow.description),
        (
          "records",
          "\(status.pending) pending, \(status.sent) sent, \(status.acknowledged) acknowledged, "
            + "\(status.refused) refused"
        ),
        (
          "circuit",
          status.circuit + (status.retryAt.map { ", tried again at \($0)" } ?? "")
        ),
        (
          "acknowledged",
          status.lastAcknowledged.map { "last at \($0)" } ?? "nothing since the start"
        ),
      ]
      if let oldest = status.oldestWindow { lines.append(("oldest", "\(oldest)")) }
      if !status.problem.isEmpty { lines.append(("last failure", terminalText(status.problem))) }
    }
    for alert in status.alerts {
      lines.append(
        ("ALERT", terminalText("\(alert.title), since \(alert.opened). \(alert.description)")))
    }
    if status.alerts.isEmpty { lines.append(("alerts", "none")) }
    return lines.map { label, value in
      label + String(repeating: " ", count: 14 - label.count) + value + "\n"
    }.joined()
  }

  func json() -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("state", string: status.state)
      writer.member("site", string: status.site)
      writer.member("model", string: status.model)
      writer.member("endpoint", string: status.endpoint)
      writer.member("expires", raw: Self.time(status.expires))
      writer.member("nextWindow", string: status.nextWindow.description)
      writer.member("oldestWindow", raw: Self.time(status.oldestWindow?.start))
      writer.member("pending", status.pending)
      writer.member("sent", status.sent)
      writer.member("acknowledged", status.acknowledged)
      writer.member("refused", status.refused)
      writer.member("circuit", string: status.circuit)
      writer.member("retryAt", raw: Self.time(status.retryAt))
      writer.member("problem", string: status.problem)
      writer.member("lastAcknowledged", raw: Self.time(status.lastAcknowledged))
      writer.member("attempts", status.attempts)
      writer.member("failures", status.failures)
      writer.member(
        "alerts",
        array: { writer in
          for alert in status.alerts {
            writer.object { writer in
              writer.member("id", string: alert.id)
              writer.member("title", string: alert.title)
              writer.member("description", string: alert.description)
              writer.member("opened", string: alert.opened.description)
            }
          }
        })
    }
    return writer.bytes + [UInt8(ascii: "\n")]
  }

  private static func time(_ instant: Instant?) -> String { instant.map { "\"\($0)\"" } ?? "null" }
}
