import StackmeterCore
import StackmeterTesting

@testable import CollectorServer

/// The rules of a simulated collector, told once more and plainly.
struct SimulatedRules {
  let limitHours: Int
  /// The catalog has the meter "disk", which the reporters use at times.
  var knowsDisk = false

  /// Why an event may not be counted at `now`, whatever was counted before.
  func refusal(_ event: UsageEvent, now: Instant) -> Refusal.Reason? {
    let isVoid = event.correction?.kind == .voids
    if event.id.isEmpty || isVoid && event.quantity != .zero { return .malformed }
    if !isVoid && event.series.meter == "disk" && !knowsDisk { return .unknownMeter }
    let end = isVoid ? event.usageStart : event.usageEnd
    if end > now.advanced(by: .seconds(300)) { return .inFuture }
    return event.usageStart.hour.start < oldest(now) ? .tooOld : nil
  }

  func oldest(_ now: Instant) -> Instant { now.advanced(by: .seconds(-3600 * limitHours)) }

  /// The event as it is counted.
  func canonical(_ event: UsageEvent) -> UsageEvent {
    guard event.correction?.kind != .voids else { return event.canonicalVoid }
    var event = event
    event.series.subscription = event.series.subscription.lowercased()
    if event.series.meter == "cpu" { event.series.meter = "CPU" }
    return event
  }
}
