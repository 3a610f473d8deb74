internal import Glibc
package import Logging
internal import StackmeterCore

/// Writes each log message as one line of JSON on standard error.
///
/// Control characters are escaped by the JSON, so that no reported name can forge a line; a value is cut at
/// 1 KiB.
package struct JSONLinesLogHandler: LogHandler {
  private static let valueBytesMax = 1024

  private let service: String
  package var logLevel: Logger.Level = .info
  package var metadata: Logger.Metadata = [:]

  package init(service: String) {
    self.service = service
  }

  package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  package func log(event: LogEvent) {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("time", string: SystemClock().now().description)
      writer.member("level", string: event.level.rawValue)
      writer.member("service", string: service)
      writer.member("message", string: Self.bounded(event.message.description))
      let all = metadata.merging(event.metadata ?? [:]) { $1 }
      for (key, value) in all.sorted(by: { $0.key < $1.key }) {
        writer.member(key, string: Self.bounded(value.description))
      }
    }
    let line = writer.bytes + [UInt8(ascii: "\n")]
    // One write, so that lines of several processes do not mix.
    _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }

  private static func bounded(_ text: String) -> String {
    guard text.utf8.count > valueBytesMax else { return text }
    return String(decoding: text.utf8.prefix(valueBytesMax), as: UTF8.self) + "…"
  }
}
