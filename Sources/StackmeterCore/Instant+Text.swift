/// A date of the proleptic Gregorian calendar.
///
/// The conversions are Howard Hinnant's `days_from_civil` and `civil_from_days`.
package struct CivilDate: Hashable, Sendable {
  package let year: Int
  package let month: Int
  package let day: Int

  /// Nil where there is no such date (2026-02-29, month 13).
  package init?(year: Int, month: Int, day: Int) {
    guard (1...9999).contains(year), (1...12).contains(month),
      (1...CivilDate.daysInMonth(month, year: year)).contains(day)
    else { return nil }
    self.year = year
    self.month = month
    self.day = day
  }

  package init(_ date: Day) {
    let shifted = date.index + 719_468
    let era = shifted.flooredDivision(by: 146_097)
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    day = Int(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    month = Int(shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9)
    year = Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0)
  }

  package var date: Day {
    let shiftedYear = Int64(month <= 2 ? year - 1 : year)
    let era = shiftedYear.flooredDivision(by: 400)
    let yearOfEra = shiftedYear - era * 400
    let shiftedMonth = Int64(month > 2 ? month - 3 : month + 9)
    let dayOfYear = (153 * shiftedMonth + 2) / 5 + Int64(day) - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return Day(index: era * 146_097 + dayOfEra - 719_468)
  }

  static func daysInMonth(_ month: Int, year: Int) -> Int {
    switch month {
    case 2: (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }
}

extension Day: CustomStringConvertible {
  /// `2026-11-23`.
  package var description: String {
    AsciiText.make { $0.date(CivilDate(self)) }
  }

  /// Reads `2026-11-23`.
  package init?(parsing text: some StringProtocol) {
    guard text.utf8.count == 10, let instant = Instant(parsing: "\(text)T00:00:00Z") else {
      return nil
    }
    self = instant.hour.day
  }
}

extension Hour: CustomStringConvertible {
  /// The hour's first instant, `2026-11-23T15:00:00Z`.
  package var description: String { start.description }

  /// `2026112315`, as in ids and names of files: texts are in the order of their hours. The first eight are the day's,
  /// the first six the month's.
  package var digits: String {
    AsciiText.make { text in
      let date = CivilDate(day)
      text.number(UInt64(date.year), digits: 4)
      text.number(UInt64(date.month), digits: 2)
      text.number(UInt64(date.day), digits: 2)
      text.number(UInt64(index - day.firstHour.index), digits: 2)
    }
  }
}

extension Instant: CustomStringConvertible {
  /// RFC 3339 in UTC with as many digits of the second as needed: `2026-11-23T15:04:05.25Z`.
  package var description: String {
    AsciiText.make { text in
      let fraction = writeSecond(&text)
      if fraction != 0 {
        text.byte(".")
        text.fraction(UInt64(fraction), digits: 9)
      }
      text.byte("Z")
    }
  }

  /// The form of Azure's answers, `2026-11-23T15:00:00+00:00`, without a fraction of the second.
  package var azureText: String {
    AsciiText.make { text in
      _ = writeSecond(&text)
      for byte in ["+", "0", "0", ":", "0", "0"] as [Unicode.Scalar] { text.byte(byte) }
    }
  }

  /// Writes `2026-11-23T15:04:05` and returns the nanoseconds that are left.
  private func writeSecond(_ text: inout AsciiText) -> Int64 {
    let day = hour.day
    let second = nanoseconds.flooredDivision(by: Instant.nanosecondsPerSecond)
    let secondOfDay = UInt64(second - day.index * 86_400)
    text.date(CivilDate(day))
    text.byte("T")
    text.number(secondOfDay / 3600, digits: 2)
    text.byte(":")
    text.number(secondOfDay / 60 % 60, digits: 2)
    text.byte(":")
    text.number(secondOfDay % 60, digits: 2)
    let remainder = nanoseconds % Instant.nanosecondsPerSecond
    return remainder < 0 ? remainder + Instant.nanosecondsPerSecond : remainder
  }

  /// Longer texts are no time.
  private static let textBytesMax = 64

  /// Reads RFC 3339 (`2026-11-23T15:04:05.123456789+01:00`). An offset is needed; digits past the ninth of
  /// a second must be zero; a leap second is refused. Nil for all else, and outside `Instant.accepted`.
  package init?(parsing text: some StringProtocol) {
    var text = String(text)
    guard let instant = text.withUTF8({ Instant(parsing: $0) }) else { return nil }
    self = instant
  }

  /// As `init(parsing:)` of a text, of its bytes.
  package init?(parsing bytes: UnsafeBufferPointer<UInt8>) {
    guard bytes.count <= Instant.textBytesMax else { return nil }
    var scanner = DigitScanner(bytes: bytes)
    guard let year = scanner.digits(4), scanner.skip("-"),
      let month = scanner.digits(2), scanner.skip("-"),
      let day = scanner.digits(2),
      let date = CivilDate(year: year, month: month, day: day),
      scanner.skip("T") || scanner.skip("t") || scanner.skip(" "),
      let hour = scanner.digits(2), hour < 24, scanner.skip(":"),
      let minute = scanner.digits(2), minute < 60, scanner.skip(":"),
      let second = scanner.digits(2), second < 60
    else { return nil }
    var fraction: Int64 = 0
    if scanner.skip(".") {
      guard let nanoseconds = scanner.fraction() else { return nil }
      fraction = nanoseconds
    }
    var offsetMinutes = 0
    if !(scanner.skip("Z") || scanner.skip("z")) {
      let isNegative = scanner.skip("-")
      guard isNegative || scanner.skip("+"),
        let hours = scanner.digits(2), hours < 24, scanner.skip(":"),
        let minutes = scanner.digits(2), minutes < 60
      else { return nil }
      offsetMinutes = (hours * 60 + minutes) * (isNegative ? -1 : 1)
    }
    let seconds =
      date.date.index * 86_400 + Int64(hour * 3600 + minute * 60 + second - offsetMinutes * 60)
    guard scanner.isAtEnd, (0..<9_214_646_400).contains(seconds) else { return nil }
    self.init(nanoseconds: seconds * Instant.nanosecondsPerSecond + fraction)
  }
}

/// A cursor over ASCII digits and separators.
private struct DigitScanner {
  let bytes: UnsafeBufferPointer<UInt8>
  private(set) var position = 0

  var isAtEnd: Bool { position == bytes.count }

  mutating func skip(_ separator: Unicode.Scalar) -> Bool {
    guard position < bytes.count, bytes[position] == UInt8(ascii: separator) else { return false }
    position += 1
    return true
  }

  /// Exactly `count` digits as a number.
  mutating func digits(_ count: Int) -> Int? {
    guard position + count <= bytes.count else { return nil }
    var value = 0
    for byte in bytes[position..<position + count] {
      guard byte >= 0x30 && byte <= 0x39 else { return nil }
      value = value * 10 + Int(byte - 0x30)
    }
    position += count
    return value
  }

  /// One or more digits after the point, in nanoseconds.
  mutating func fraction() -> Int64? {
    var value: Int64 = 0
    var count = 0
    while position < bytes.count, bytes[position] >= 0x30 && bytes[position] <= 0x39 {
      let digit = Int64(bytes[position] - 0x30)
      if count < 9 {
        value = value * 10 + digit
      } else if digit != 0 {
        return nil
      }
      count += 1
      position += 1
    }
    guard count > 0 else { return nil }
    for _ in count..<max(count, 9) { value *= 10 }
    return value
  }
}

extension AsciiText {
  fileprivate mutating func date(_ date: CivilDate) {
    number(UInt64(date.year), digits: 4)
    byte("-")
    number(UInt64(date.month), digits: 2)
    byte("-")
    number(UInt64(date.day), digits: 2)
  }
}
