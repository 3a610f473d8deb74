internal import StackmeterCore

extension Instant {
  /// Reads a time as Azure's clients are known to spell it, after form decoding.
  ///
  /// `2019-12-10T19:00:00.0000000+00:00`, the same without a zone (UTC), with `Z`, with both (`+00:00Z`), with a
  /// space for the `T`, with a space for the zone's plus, without a time (`2017-12-1`), and `MM/dd/yyyy`.
  /// Nil for all else, outside `Instant.accepted`, and for texts of more than 64 bytes.
  init?(azure text: String) {
    guard text.utf8.count <= 64 else { return nil }
    var scanner = AzureTimeScanner(text)
    guard let date = scanner.date() else { return nil }
    var seconds = date.date.index * 86_400
    var nanoseconds: Int64 = 0
    if !scanner.isAtEnd {
      guard scanner.skip("T") || scanner.skip("t") || scanner.skip(" "),
        let hour = scanner.number(2), hour < 24, scanner.skip(":"),
        let minute = scanner.number(2), minute < 60
      else { return nil }
      seconds += Int64(hour * 3600 + minute * 60)
      if scanner.skip(":") {
        guard let second = scanner.number(2), second < 60 else { return nil }
        seconds += Int64(second)
        if scanner.skip(".") {
          guard let fraction = scanner.nanoseconds() else { return nil }
          nanoseconds = fraction
        }
      }
      guard let offsetMinutes = scanner.offsetMinutes() else { return nil }
      seconds -= Int64(offsetMinutes * 60)
    }
    let day = Day(index: seconds / 86_400)
    guard scanner.isAtEnd, seconds >= 0, day.index < Instant.accepted.upperBound.hour.day.index
    else { return nil }
    self.init(nanoseconds: seconds * Instant.nanosecondsPerSecond + nanoseconds)
  }
}

/// A cursor over the parts of such a time.
private struct AzureTimeScanner {
  private var rest: ArraySlice<UInt8>

  init(_ text: String) {
    rest = Array(text.utf8)[...]
    while rest.first == UInt8(ascii: " ") { rest.removeFirst() }
    while rest.last == UInt8(ascii: " ") { rest.removeLast() }
  }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func skip(_ separator: Unicode.Scalar) -> Bool {
    guard rest.first == UInt8(ascii: separator) else { return false }
    rest.removeFirst()
    return true
  }

  /// One to `digitsMax` digits.
  mutating func number(_ digitsMax: Int) -> Int? {
    var value = 0
    var count = 0
    while count < digitsMax, let byte = rest.first, (0x30...0x39).contains(byte) {
      value = value * 10 + Int(byte - 0x30)
      count += 1
      rest.removeFirst()
    }
    return count > 0 ? value : nil
  }

  /// `2017-12-1` or `12/01/2017`.
  mutating func date() -> CivilDate? {
    guard let first = number(4) else { return nil }
    if skip("-") {
      guard let month = number(2), skip("-"), let day = number(2) else { return nil }
      return CivilDate(year: first, month: month, day: day)
    }
    guard skip("/"), let day = number(2), skip("/"), let year = number(4) else { return nil }
    return CivilDate(year: year, month: first, day: day)
  }

  /// The digits after the point. What is past the ninth must be zero.
  mutating func nanoseconds() -> Int64? {
    var value: Int64 = 0
    var count = 0
    while let byte = rest.first, (0x30...0x39).contains(byte) {
      let digit = Int64(byte - 0x30)
      if count < 9 {
        value = value * 10 + digit
      } else if digit != 0 {
        return nil
      }
      count += 1
      rest.removeFirst()
    }
    guard count > 0 else { return nil }
    for _ in count..<max(count, 9) { value *= 10 }
    return value
  }

  /// The zone; none is UTC. Nil where it is malformed, or says two things.
  mutating func offsetMinutes() -> Int? {
    if isAtEnd || skip("Z") || skip("z") { return 0 }
    let isNegative = skip("-")
    guard isNegative || skip("+") || skip(" "), let hours = number(2), hours < 24,
      skip(":"), let minutes = number(2), minutes < 60
    else { return nil }
    let offset = (hours * 60 + minutes) * (isNegative ? -1 : 1)
    if skip("Z") || skip("z"), offset != 0 { return nil }
    return offset
  }
}
