package import CStackmeterProto
package import StackmeterCore

/// `Collector.Heartbeat`: how far a source's usage is reported.
package struct HeartbeatRequest: WireMessage, Hashable {
  package var heartbeat: Heartbeat

  package init(_ heartbeat: Heartbeat) {
    self.heartbeat = heartbeat
  }

  package init(wire raw: borrowing Stackmeter__V1__HeartbeatRequest) {
    heartbeat = Heartbeat(
      source: text(raw.source), cadenceSeconds: raw.cadence_seconds,
      completeUntil: Instant(nanoseconds: raw.complete_until))
  }

  package func fill(_ raw: inout Stackmeter__V1__HeartbeatRequest, _ packer: borrowing Packer) {
    raw.source = packer.arena.text(heartbeat.source)
    raw.cadence_seconds = heartbeat.cadenceSeconds
    raw.complete_until = heartbeat.completeUntil.nanoseconds
  }
}

/// What stands of a source after its heartbeat.
package struct HeartbeatResponse: WireMessage, Hashable {
  /// 0 where no more is expected of the source.
  package var cadenceSeconds: UInt32
  package var completeUntil: Instant

  /// Nil for a source that is not declared.
  package init(source: ReportingSource?) {
    cadenceSeconds = source?.cadenceSeconds ?? 0
    completeUntil = source?.completeUntil ?? Instant(nanoseconds: 0)
  }

  package init(wire raw: borrowing Stackmeter__V1__HeartbeatResponse) {
    cadenceSeconds = raw.cadence_seconds
    completeUntil = Instant(nanoseconds: raw.complete_until)
  }

  package func fill(_ raw: inout Stackmeter__V1__HeartbeatResponse, _ packer: borrowing Packer) {
    raw.cadence_seconds = cadenceSeconds
    raw.complete_until = completeUntil.nanoseconds
  }
}
