/// How long the periods are that usage is aggregated over: hours, days or months of UTC.
///
/// Periods are numbered: hours and days since 1970-01-01, months since January 1970.
package enum Granularity: Hashable, Sendable, CaseIterable {
  case hourly
  case daily
  case monthly

  /// The number of the period that an hour, by its index, lies in.
  package func period(ofHour hour: Int64) -> Int64 {
    switch self {
    case .hourly: return hour
    case .daily: return hour.flooredDivision(by: 24)
    case .monthly:
      let date = CivilDate(Day(index: hour.flooredDivision(by: 24)))
      return Int64(date.year - 1970) * 12 + Int64(date.month - 1)
    }
  }

  /// The first hour of a period, by its number.
  package func firstHour(ofPeriod period: Int64) -> Int64 {
    switch self {
    case .hourly: return period
    case .daily: return period * 24
    case .monthly:
      let year = period.flooredDivision(by: 12)
      let first = CivilDate(year: Int(year) + 1970, month: Int(period - year * 12) + 1, day: 1)
      return first.map { $0.date.firstHour.index } ?? .max
    }
  }

  /// The hours of a period, by its number.
  package func hours(ofPeriod period: Int64) -> Range<Int64> {
    firstHour(ofPeriod: period)..<firstHour(ofPeriod: period + 1)
  }

  /// Whether a period begins with this hour.
  package func begins(at hour: Hour) -> Bool {
    firstHour(ofPeriod: period(ofHour: hour.index)) == hour.index
  }
}

/// Which of the two times a question's `from` and `to` are, and what makes one row.
package enum TimeAxis: Hashable, Sendable {
  /// When it was reported: a row is what one reporting period has of a series and usage period.
  case reported
  /// When it was consumed: a row is the whole of a series and usage period, whenever it was reported.
  case usage
}
