/// The places of what an event of the common form says, found without making a text or a tree.
///
/// Common are the attributes and members that are listed here, each at most once, with strings that have no escape, and
/// a quantity without exponent. All else is left to `UsageEvent(cloudEvent:)`, which reads every form and names what is
/// wrong: whoever skims takes that way where this is nil, and the two never disagree. What says which series the event
/// is of is not checked here: it is compared with an event that was read in full, or read by `SeriesParts.read`.
package struct CloudEventSkim {
  /// Where the event ends in the text.
  package private(set) var end = 0
  /// The bytes of the id: ASCII, 1 to `EventLimits.idBytesMax`.
  package private(set) var id = 0..<0
  package private(set) var usageStart = Instant(nanoseconds: 0)
  package private(set) var usageEnd = Instant(nanoseconds: 0)
  package private(set) var quantity = Quantity.zero
  /// The values that name the source and the series, as they are written: an event with the same bytes in all of
  /// these has the same source and series.
  package private(set) var seriesParts = SeriesParts()

  /// Ranges of the text; empty for what is absent.
  package struct SeriesParts {
    package var source = 0..<0
    package var subject = 0..<0
    package var meter = 0..<0
    package var resourceURI = 0..<0
    package var location = 0..<0
    package var tags = 0..<0
    package var additionalInfo = 0..<0
  }

  /// Reads the event whose first byte is at `start`. Nil where it is not of the common form.
  package init?(_ text: UnsafeBufferPointer<UInt8>, at start: Int) {
    var scanner = Scanner(text: text, position: start)
    var seen: Seen = []
    var time: Instant?
    var (startTime, endTime): (Instant?, Instant?) = (nil, nil)
    guard scanner.take("{") else { return nil }
    repeat {
      guard let name = scanner.name(), let member = Scanner.attribute(text, name),
        seen.insert(member).inserted
      else { return nil }
      if member == .data {
        guard data(&scanner, &seen, &startTime, &endTime) else { return nil }
        continue
      }
      guard let value = scanner.string() else { return nil }
      switch member {
      case .specversion: guard scanner.holds("1.0", value) else { return nil }
      case .type: guard scanner.holds(UsageEvent.cloudEventTypeBytes, value) else { return nil }
      case .id:
        guard (1...EventLimits.idBytesMax).contains(value.count), scanner.isASCII(value) else {
          return nil
        }
        id = value
      case .source: seriesParts.source = value
      case .subject: seriesParts.subject = value
      case .time:
        guard let instant = scanner.instant(value) else { return nil }
        time = instant
      default:
        // A content type says nothing about usage, but must be a text.
        guard scanner.isASCII(value) else { return nil }
      }
    } while scanner.take(",")
    guard scanner.take("}"), seen.isSuperset(of: Seen.needed), let from = startTime ?? time else {
      return nil
    }
    usageStart = from
    usageEnd = endTime ?? from
    end = scanner.position
  }

  /// Reads the members of `data`; false where they are not of the common form.
  private mutating func data(
    _ scanner: inout Scanner, _ seen: inout Seen, _ start: inout Instant?, _ end: inout Instant?
  ) -> Bool {
    guard scanner.take("{") else { return false }
    repeat {
      guard let name = scanner.name(), let member = Scanner.dataMember(scanner.text, name),
        seen.insert(member).inserted
      else { return false }
      switch member {
      case .quantity:
        guard let value = scanner.quantity() else { return false }
        quantity = value
      case .tags, .additionalInfo:
        guard let value = scanner.anyValue() else { return false }
        if member == .tags { seriesParts.tags = value } else { seriesParts.additionalInfo = value }
      default:
        guard let value = scanner.string() else { return false }
        switch member {
        case .meter: seriesParts.meter = value
        case .resourceURI: seriesParts.resourceURI = value
        case .location: seriesParts.location = value
        case .startTime:
          guard let instant = scanner.instant(value) else { return false }
          start = instant
        default:
          guard let instant = scanner.instant(value) else { return false }
          end = instant
        }
      }
    } while scanner.take(",")
    return scanner.take("}")
  }

  /// The members that were met.
  fileprivate struct Seen: OptionSet {
    let rawValue: UInt32
    static let specversion = Seen(rawValue: 1 << 0)
    static let type = Seen(rawValue: 1 << 1)
    static let id = Seen(rawValue: 1 << 2)
    static let source = Seen(rawValue: 1 << 3)
    static let subject = Seen(rawValue: 1 << 4)
    static let time = Seen(rawValue: 1 << 5)
    static let contentType = Seen(rawValue: 1 << 6)
    static let data = Seen(rawValue: 1 << 7)
    static let meter = Seen(rawValue: 1 << 8)
    static let quantity = Seen(rawValue: 1 << 9)
    static let resourceURI = Seen(rawValue: 1 << 10)
    static let location = Seen(rawValue: 1 << 11)
    static let tags = Seen(rawValue: 1 << 12)
    static let additionalInfo = Seen(rawValue: 1 << 13)
    static let startTime = Seen(rawValue: 1 << 14)
    static let endTime = Seen(rawValue: 1 << 15)
    static let needed: Seen = [
      .specversion, .type, .id, .source, .subject, .data, .meter, .quantity, .resourceURI,
    ]
  }
}

extension CloudEventSkim.SeriesParts {
  /// The source and the series that are named; nil where they must be read in full.
  package func read(_ text: UnsafeBufferPointer<UInt8>) -> (source: String, series: Series)? {
    let scanner = Scanner(text: text, position: 0)
    let subscription = scanner.holds("/subscriptions/", subject.prefix(15)) ? 15 : 0
    guard let source = scanner.text(source, 1...EventLimits.sourceBytesMax),
      let subscription = scanner.text(
        subject.dropFirst(subscription), 1...EventLimits.subscriptionBytesMax),
      // A prefix in other letters is left to the full reading.
      subscription.utf8.first != UInt8(ascii: "/"),
      let meter = scanner.text(meter, 1...EventLimits.meterBytesMax),
      let uri = scanner.text(resourceURI, 1...EventLimits.resourceURIBytesMax),
      let location = scanner.text(location, 0...EventLimits.locationBytesMax),
      let tags = tagsText(scanner), let info = infoText(scanner)
    else { return nil }
    return (
      source,
      Series(
        subscription: subscription, meter: meter,
        resource: Resource(uri: uri, location: location, tags: tags, additionalInfo: info))
    )
  }

  private func tagsText(_ scanner: Scanner) -> String? {
    guard !tags.isEmpty else { return "" }
    var scanner = scanner
    scanner.position = tags.lowerBound
    guard scanner.take("{") else { return nil }
    if scanner.take("}") { return "" }
    var pairs: [(name: String, value: String)] = []
    repeat {
      guard let name = scanner.name(), let value = scanner.string(),
        let name = scanner.text(name, 0...EventLimits.tagsBytesMax),
        let value = scanner.text(value, 0...EventLimits.tagsBytesMax)
      else { return nil }
      pairs.append((name, value))
    } while pairs.count < EventLimits.tagsMax && scanner.take(",")
    guard scanner.take("}"), scanner.position == tags.upperBound,
      Set(pairs.map { ExactText($0.name) }).count == pairs.count
    else { return nil }
    let text = Resource.canonicalTags(pairs)
    return text.utf8.count <= EventLimits.tagsBytesMax ? text : nil
  }

  private func infoText(_ scanner: Scanner) -> String? {
    guard !additionalInfo.isEmpty else { return "" }
    var scanner = scanner
    scanner.position = additionalInfo.lowerBound
    guard let inside = scanner.string() else { return nil }
    return scanner.text(inside, 0...EventLimits.additionalInfoBytesMax)
  }
}

/// Goes over the bytes of an event. Where it fails it may stand anywhere.
private struct Scanner {
  let text: UnsafeBufferPointer<UInt8>
  var position: Int

  @inline(__always)
  mutating func skipSpace() {
    while position < text.count {
      switch text[position] {
      case 0x20, 0x09, 0x0A, 0x0D: position += 1
      default: return
      }
    }
  }

  /// Passes this byte, with the space before it, where it is the next one.
  @inline(__always)
  mutating func take(_ byte: Unicode.Scalar) -> Bool {
    skipSpace()
    guard position < text.count, text[position] == UInt8(ascii: byte) else { return false }
    position += 1
    return true
  }

  /// The inside of a string that has no escape.
  @inline(__always)
  mutating func string() -> Range<Int>? {
    guard take("\"") else { return nil }
    let start = position
    while position < text.count {
      let byte = text[position]
      if byte == UInt8(ascii: "\"") {
        position += 1
        return start..<position - 1
      }
      guard byte >= 0x20, byte != UInt8(ascii: "\\") else { return nil }
      position += 1
    }
    return nil
  }

  /// The name of a member, and the colon after it.
  @inline(__always)
  mutating func name() -> Range<Int>? {
    guard let name = string(), take(":") else { return nil }
    return name
  }

  /// Any value, its brackets and strings in pairs. Whether it is JSON is known once the same bytes were read in full.
  mutating func anyValue() -> Range<Int>? {
    skipSpace()
    let start = position
    var depth = 0
    while position < text.count {
      switch text[position] {
      case UInt8(ascii: "\""):
        guard string() != nil else { return nil }
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        depth += 1
        position += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        depth -= 1
        position += 1
      default:
        // A bare word or number is not of the common form.
        guard depth > 0 else { return nil }
        position += 1
      }
      if depth == 0 { return start..<position }
    }
    return nil
  }

  /// A number without exponent, or a string that holds one.
  mutating func quantity() -> Quantity? {
    let isQuoted = take("\"")
    guard let quantity = decimal() else { return nil }
    if isQuoted {
      guard position < text.count, text[position] == UInt8(ascii: "\"") else { return nil }
      position += 1
    }
    return quantity
  }

  private mutating func decimal() -> Quantity? {
    let isNegative = position < text.count && text[position] == UInt8(ascii: "-")
    if isNegative { position += 1 }
    let start = position
    var units: Int64 = 0
    // Few enough digits for 64 bits; what follows more of them is no end of a number.
    while position - start < 18, let digit { units = units * 10 + digit }
    let whole = position - start
    guard whole == 1 || (whole > 1 && text[start] != UInt8(ascii: "0")) else { return nil }
    var fraction: Int64 = 0
    if position < text.count, text[position] == UInt8(ascii: ".") {
      position += 1
      let start = position
      while position - start < Quantity.fractionDigits, let digit {
        fraction = fraction * 10 + digit
      }
      let digits = position - start
      guard digits > 0 else { return nil }
      for _ in digits..<Quantity.fractionDigits { fraction *= 10 }
    }
    // More digits, an exponent, or something that is no number.
    if position < text.count {
      switch text[position] {
      case UInt8(ascii: ","), UInt8(ascii: "}"), UInt8(ascii: "\""), 0x20, 0x09, 0x0A, 0x0D: break
      default: return nil
      }
    }
    let magnitude = Int128(units) * Quantity.attosPerUnit + Int128(fraction)
    return Quantity(attos: isNegative ? -magnitude : magnitude)
  }

  /// Passes a digit and gives its value.
  private var digit: Int64? {
    mutating get {
      guard position < text.count, text[position] &- 0x30 <= 9 else { return nil }
      defer { position += 1 }
      return Int64(text[position] - 0x30)
    }
  }

  func instant(_ range: Range<Int>) -> Instant? {
    Instant(parsing: UnsafeBufferPointer(rebasing: text[range]))
  }

  /// The text of a range of ASCII; nil where it is not, or has another size.
  func text(_ range: Range<Int>, _ sizes: ClosedRange<Int>) -> String? {
    guard sizes.contains(range.count), isASCII(range) else { return nil }
    return String(decoding: UnsafeBufferPointer(rebasing: text[range]), as: UTF8.self)
  }

  @inline(__always)
  func isASCII(_ range: Range<Int>) -> Bool {
    for index in range where text[index] >= 0x80 { return false }
    return true
  }

  @inline(__always)
  func holds(_ expected: StaticString, _ range: Range<Int>) -> Bool {
    Scanner.holds(text, expected, range)
  }

  @inline(__always)
  static func holds(
    _ text: UnsafeBufferPointer<UInt8>, _ expected: StaticString, _ range: Range<Int>
  ) -> Bool {
    guard range.count == expected.utf8CodeUnitCount else { return false }
    let start = expected.utf8Start
    for offset in 0..<range.count where text[range.lowerBound + offset] != start[offset] {
      return false
    }
    return true
  }

  /// An attribute of the event by its name.
  static func attribute(
    _ text: UnsafeBufferPointer<UInt8>, _ name: Range<Int>
  ) -> CloudEventSkim.Seen? {
    func named(_ expected: StaticString) -> Bool { holds(text, expected, name) }
    switch name.count {
    case 2: return named("id") ? .id : nil
    case 4: return named("data") ? .data : named("type") ? .type : named("time") ? .time : nil
    case 6: return named("source") ? .source : nil
    case 7: return named("subject") ? .subject : nil
    case 11: return named("specversion") ? .specversion : nil
    case 15: return named("datacontenttype") ? .contentType : nil
    default: return nil
    }
  }

  /// A member of `data` by its name.
  static func dataMember(
    _ text: UnsafeBufferPointer<UInt8>, _ name: Range<Int>
  ) -> CloudEventSkim.Seen? {
    func named(_ expected: StaticString) -> Bool { holds(text, expected, name) }
    switch name.count {
    case 4: return named("tags") ? .tags : nil
    case 5: return named("meter") ? .meter : nil
    case 7: return named("endTime") ? .endTime : nil
    case 8: return named("quantity") ? .quantity : named("location") ? .location : nil
    case 9: return named("startTime") ? .startTime : nil
    case 11: return named("resourceUri") ? .resourceURI : nil
    case 14: return named("additionalInfo") ? .additionalInfo : nil
    default: return nil
    }
  }
}
