package import StackmeterCore

/// The record of a heartbeat. See README.md for the bytes.
extension Record {
  /// What the largest one takes, with its frame.
  package static let heartbeatBytesMax = frameBytes + 2 + EventLimits.sourceBytesMax + 12

  /// What a source said at `time`. Takes no position.
  package init(_ heartbeat: Heartbeat, position: UInt64, time: Instant) {
    var writer = ByteWriter()
    writer.text(heartbeat.source)
    writer.number(heartbeat.cadenceSeconds)
    writer.number(heartbeat.completeUntil.nanoseconds)
    self.init(
      kind: .heartbeat, count: 0, firstPosition: position, firstTime: time, payload: writer.bytes)
  }

  /// Nil where the record is of another kind or form.
  package var heartbeat: Heartbeat? {
    guard kind == .heartbeat, count == 0 else { return nil }
    var reader = ByteReader(payload)
    guard let source = reader.text(), let cadence = reader.number(UInt32.self),
      let until = reader.number(Int64.self), reader.isAtEnd
    else { return nil }
    return Heartbeat(
      source: source, cadenceSeconds: cadence, completeUntil: Instant(nanoseconds: until))
  }
}
