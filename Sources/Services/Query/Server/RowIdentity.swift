internal import Crypto
internal import StackmeterCore

/// What tells a row of usage from every other one, in every answer and export, for ever.
///
/// `<series>-<usage period>-<reporting period>`; by usage time without the last one. The series is in 32 hexadecimal
/// digits, the periods in those of their first hour, day or month: `2026112315`, `20261123`, `202611`. So rows of one
/// series have neighbouring ids, and hours, days and months never have the same.
struct RowIdentity {
  private let cell: String
  /// Of the series that were seen last.
  private var texts: [Series: String] = [:]
  // The periods of one row are mostly those of the one before.
  private var usage = LastPeriod()
  private var window = LastPeriod()

  /// `cell` is that of rows that name none.
  init(cell: String) {
    self.cell = cell
  }

  mutating func id(
    of aggregate: UsageAggregate, _ axis: TimeAxis, _ granularity: Granularity
  ) -> String {
    let series: String
    // Of several cells one series has a row in each.
    if aggregate.cell == nil, let known = texts[aggregate.series] {
      series = known
    } else {
      series = RowIdentity.text(
        RowIdentity.digest(of: aggregate.series, cell: aggregate.cell ?? cell))
      if aggregate.cell == nil { texts[aggregate.series] = series }
    }
    let usage = usage.text(aggregate.usageStart.hour, granularity)
    guard axis == .reported else { return "\(series)-\(usage)" }
    return "\(series)-\(usage)-\(window.text(aggregate.window, granularity))"
  }

  /// SHA-256 over seven texts, each as its count of bytes (u32, little-endian) and its UTF-8: cell, subscription,
  /// meter, resource URI, location, tags, additional info.
  static func digest(of series: Series, cell: String) -> [UInt8] {
    var hash = SHA256()
    func add(_ text: String) {
      var text = text
      withUnsafeBytes(of: UInt32(text.utf8.count).littleEndian) { hash.update(bufferPointer: $0) }
      text.withUTF8 { hash.update(bufferPointer: UnsafeRawBufferPointer($0)) }
    }
    add(cell)
    series.forEachText(add)
    return Array(hash.finalize())
  }

  /// How many bytes of the digest an id has.
  static let seriesBytes = 16

  private static func text(_ digest: [UInt8]) -> String {
    hexadecimal(digest.prefix(seriesBytes))
  }

  /// The digits of a period that begins with an hour.
  static func text(_ hour: Hour, _ granularity: Granularity) -> String {
    let digits =
      switch granularity {
      case .hourly: 10
      case .daily: 8
      case .monthly: 6
      }
    return String(hour.digits.prefix(digits))
  }
}

/// The digits of the period that was asked for last.
private struct LastPeriod {
  private var known: (hour: Hour, granularity: Granularity, text: String)?

  mutating func text(_ hour: Hour, _ granularity: Granularity) -> String {
    if let known, known.hour == hour, known.granularity == granularity { return known.text }
    let text = RowIdentity.text(hour, granularity)
    known = (hour, granularity, text)
    return text
  }
}
