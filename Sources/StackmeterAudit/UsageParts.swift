internal import StackmeterCore

/// How much of a quantity counts in each usage hour that [start, end) touches: written down from the rule alone, apart
/// from the code that counts.
enum UsageParts {
  /// The usage hours that an event belongs to, as indices; an event without duration belongs to its hour.
  static func hours(_ start: Int64, _ end: Int64) -> ClosedRange<Int64> {
    let first = start.flooredDivision(by: Instant.nanosecondsPerHour)
    guard end > start else { return first...first }
    return first...(end - 1).flooredDivision(by: Instant.nanosecondsPerHour)
  }

  /// The part of each hour, in order: pro rata and truncated toward zero, the last one what is left.
  static func parts(_ attos: Int128, _ start: Int64, _ end: Int64) -> [(hour: Int64, attos: Int128)]
  {
    let hours = hours(start, end)
    var left = attos
    var parts: [(hour: Int64, attos: Int128)] = []
    for hour in hours {
      let from = max(start, hour * Instant.nanosecondsPerHour)
      let to = min(end, (hour + 1) * Instant.nanosecondsPerHour)
      let part = hour == hours.upperBound ? left : share(attos, to - from, of: end - start)
      parts.append((hour, part))
      left -= part
    }
    return parts
  }

  /// attos × part ÷ whole, where 0 ≤ part ≤ whole: whole multiples first, so that 128 bits are enough.
  private static func share(_ attos: Int128, _ part: Int64, of whole: Int64) -> Int128 {
    let (quotient, remainder) = attos.quotientAndRemainder(dividingBy: Int128(whole))
    return quotient * Int128(part) + remainder * Int128(part) / Int128(whole)
  }
}
