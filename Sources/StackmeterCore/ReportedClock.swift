/// The time that events are reported at: the host's clock, as long as it goes as fast as time passes.
///
/// The wall clock is believed while it is within `stepMax` of where it must be by the time that has passed since
/// it was last taken as an anchor. When it jumps further, in either direction, or stands still, time goes on as it
/// passes, until the wall clock is back. So a clock that is set wrong for a while leaves no trace, and one that is
/// set right by more than `stepMax` is believed after a restart only.
package struct ReportedClock: Sendable {
  /// How far the wall clock may be from where it must be.
  package static let stepMax: Duration = .seconds(300)
  /// How long one anchor holds, so that small steps of a clock that is kept right do not add up.
  package static let anchorMax: Duration = .seconds(3600)

  private var anchor: Instant
  private var anchorElapsed: Duration
  /// How far the wall clock is ahead of the time that has passed; nil while it is believed.
  package private(set) var jump: Duration?

  /// Begins with the wall clock as it is.
  package init(wall: Instant, elapsed: Duration) {
    anchor = wall
    anchorElapsed = elapsed
  }

  /// The present, from what both clocks show. May be up to `stepMax` before an earlier present.
  package mutating func now(wall: Instant, elapsed: Duration) -> Instant {
    let expected = anchor.advanced(by: elapsed - anchorElapsed)
    let ahead = wall - expected
    guard abs(ahead) <= ReportedClock.stepMax else {
      jump = ahead
      return expected
    }
    jump = nil
    if elapsed - anchorElapsed >= ReportedClock.anchorMax {
      anchor = wall
      anchorElapsed = elapsed
    }
    return wall
  }

  private func abs(_ duration: Duration) -> Duration { max(duration, .zero - duration) }

  /// What is wrong with the host's clock, in one sentence; empty where nothing is. `lastTime` is the last time
  /// that an event was reported at, `now` the present, `wall` the host's clock.
  package func problem(wall: Instant, now: Instant, lastTime: Instant) -> String {
    if let jump {
      let seconds = abs(jump).components.seconds
      return "the host's clock shows \(wall), \(seconds) s \(jump > .zero ? "after" : "before") "
        + "the time by what has passed; usage is reported at \(now) instead; set the clock right, "
        + "or restart the collector if the clock is right now"
    }
    if lastTime - now > ReportedClock.stepMax {
      return
        "usage was reported up to \(lastTime) already, which the host's clock, \(wall), has not "
        + "reached; until then reported time stands still; check the clock"
    }
    return ""
  }
}
