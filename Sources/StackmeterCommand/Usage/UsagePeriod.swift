internal import StackmeterCore

/// A period of whole hours, as `--from` and `--to` name it.
struct UsagePeriod: Hashable {
  let hours: Range<Hour>

  /// `from` is today where it is nil, `to` the end of today; days and times are those of UTC.
  init(from: String?, to: String?, now: Instant) throws(CommandFailure) {
    let today = now.hour.day
    let start = try from.map { (text) throws(CommandFailure) in
      try UsagePeriod.hour(text, option: "--from")
    }
    let end = try to.map { (text) throws(CommandFailure) in
      try UsagePeriod.hour(text, option: "--to")
    }
    let first = start ?? min(today.firstHour, end.map { $0.day.firstHour } ?? today.firstHour)
    let last = end ?? today.next.firstHour
    guard first < last else {
      throw CommandFailure(
        "--to (\(last)) must be after --from (\(first)); the period ends before --to",
        exitCode: 64)
    }
    hours = first..<last
  }

  /// A day, or a time on the hour.
  static func hour(_ text: String, option: String) throws(CommandFailure) -> Hour {
    if let day = Day(parsing: text) { return day.firstHour }
    if let instant = Instant(parsing: text), instant == instant.hour.start { return instant.hour }
    throw CommandFailure(
      "\(option): \(text) is neither a day such as 2026-11-23 nor a time on the hour such as "
        + "2026-11-23T15:00:00Z", exitCode: 64)
  }

  var isWholeDays: Bool {
    hours.lowerBound == hours.lowerBound.day.firstHour
      && hours.upperBound == hours.upperBound.day.firstHour
  }

  /// `2026-11-23`, `2026-11-01 to 2026-11-23`, or with times where it is not whole days.
  var title: String {
    guard isWholeDays else { return "\(hours.lowerBound) to \(hours.upperBound)" }
    let (first, last) = (
      hours.lowerBound.day, Hour(index: hours.upperBound.index - 1).day
    )
    return first == last ? "\(first)" : "\(first) to \(last)"
  }
}
