/// One measured number, exact to the digits that are shown.
package struct Figure: Equatable, Sendable {
  /// The name in JSON: `eventsPerSecond`.
  let name: String
  /// The value times 10 to the power of `digits`.
  let value: Int64
  let digits: Int
  /// What a person reads after the number: `events/s`.
  let unit: String

  package init(_ name: String, _ value: some BinaryInteger, digits: Int = 0, _ unit: String) {
    self.name = name
    self.value = Int64(clamping: value)
    self.digits = digits
    self.unit = unit
  }

  /// The number, with a point before its last `digits` digits.
  package var number: String {
    guard digits > 0 else { return String(value) }
    var text = String(value.magnitude)
    text = String(repeating: "0", count: max(0, digits + 1 - text.count)) + text
    let point = text.index(text.endIndex, offsetBy: -digits)
    return (value < 0 ? "-" : "") + text[..<point] + "." + text[point...]
  }

  /// The number with its whole part in groups of three.
  var grouped: String {
    let parts = number.split(separator: ".", omittingEmptySubsequences: false)
    var groups = ""
    for (index, digit) in parts[0].enumerated() {
      let left = parts[0].count - index
      if index > 0 && left % 3 == 0 && groups.last != "-" { groups.append(",") }
      groups.append(digit)
    }
    return ([groups] + parts.dropFirst().map(String.init)).joined(separator: ".")
  }

  /// `count ÷ per`, to `digits` digits.
  static func ratio(
    _ name: String, _ count: some BinaryInteger, of per: some BinaryInteger, digits: Int,
    _ unit: String
  ) -> Figure {
    var scaled = Int128(count)
    for _ in 0..<digits { scaled *= 10 }
    return Figure(name, per == 0 ? 0 : scaled / Int128(per), digits: digits, unit)
  }

  static func seconds(_ name: String, _ duration: Duration, _ unit: String = "s") -> Figure {
    Figure(name, duration.nanosecondsRounded / 1_000_000, digits: 3, unit)
  }

  static func mebibytes(_ name: String, _ bytes: some BinaryInteger) -> Figure {
    ratio(name, bytes, of: 1 << 20, digits: 1, "MiB")
  }

  /// Time on the processors for a million of what was counted.
  static func cpu(
    _ name: String, _ cpu: Duration, per counted: String = "events", _ count: UInt64
  ) -> Figure {
    // Microseconds for each are seconds for a million.
    ratio(name, cpu.nanosecondsRounded, of: count * 1000, digits: 3, "s per million \(counted)")
  }
}
