import StackmeterCore

/// An event as the oracle remembers it: a few numbers that the whole event follows from.
struct OracleEvent: Hashable, Sendable {
  var source: String
  var number: Int
  var subscription: Int
  var start: Int64
  var attos: Int64
  /// How long a text it carries, so that some are large.
  var textBytes: Int
  /// The number of the event of the same source that this one cancels.
  var voids: Int?

  static let subscriptions = 5
  static let meter = "agent-cpu-core-seconds"

  var key: String { "\(source) \(number)" }

  /// The key of the event that this one cancels.
  var voidedKey: String? { voids.map { "\(source) \($0)" } }

  var event: UsageEvent {
    let name = "oracle-\(subscription)"
    return UsageEvent(
      id: "\(number)", source: source,
      series: Series(
        subscription: name, meter: Self.meter,
        resource: Resource(
          uri: "/subscriptions/\(name)/resource",
          additionalInfo: textBytes == 0 ? "" : text)),
      usageStart: Instant(nanoseconds: start),
      usageEnd: Instant(nanoseconds: start).advanced(by: .seconds(60)),
      quantity: Quantity(attos: Int128(attos))!,
      correction: voids.map { Correction(.voids, "\($0)") })
  }

  private var text: String {
    let word = "\(number) of \(source), "
    return String(
      String(repeating: word, count: textBytes / word.utf8.count + 1).prefix(textBytes))
  }

  static func random(
    _ source: String, _ number: Int, textBytes: Int = 0,
    using random: inout some RandomNumberGenerator, now: Instant
  ) -> OracleEvent {
    OracleEvent(
      source: source, number: number,
      subscription: Int.random(in: 0..<subscriptions, using: &random),
      start: now.nanoseconds - Int64.random(in: 120...7200, using: &random) * 1_000_000_000,
      attos: Int64.random(in: -1_000_000_000_000...1_000_000_000_000_000, using: &random),
      textBytes: textBytes)
  }

  /// What cancels this event.
  func void(_ number: Int) -> OracleEvent {
    OracleEvent(
      source: source, number: number, subscription: subscription, start: start, attos: 0,
      textBytes: 0, voids: self.number)
  }

  var line: String {
    let cancels = voids.map { "\($0)" } ?? "-"
    return "sent \(source) \(number) \(subscription) \(start) \(attos) \(textBytes) \(cancels)\n"
  }

  init?(line words: [Substring]) {
    guard words.count == 8, let number = Int(words[2]), let subscription = Int(words[3]),
      let start = Int64(words[4]), let attos = Int64(words[5]), let textBytes = Int(words[6])
    else { return nil }
    self.init(
      source: String(words[1]), number: number, subscription: subscription, start: start,
      attos: attos, textBytes: textBytes, voids: Int(words[7]))
  }

  init(
    source: String, number: Int, subscription: Int, start: Int64, attos: Int64, textBytes: Int,
    voids: Int? = nil
  ) {
    self.source = source
    self.number = number
    self.subscription = subscription
    self.start = start
    self.attos = attos
    self.textBytes = textBytes
    self.voids = voids
  }
}
