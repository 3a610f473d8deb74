internal import StackmeterCore

/// Adds usage up by meter, location and day. Its memory does not depend on how much was used.
struct LocatedSums {
  private struct Key: Hashable {
    let place: Int
    let day: Int64
  }

  private struct Place: Hashable {
    let meter: ExactText
    let location: ExactText

    func isBefore(_ other: Place) -> Bool {
      let (one, two) = (meter.text, other.meter.text)
      if !one.hasSameBytes(as: two) { return one.utf8.lexicographicallyPrecedes(two.utf8) }
      return location.text.utf8.lexicographicallyPrecedes(other.location.text.utf8)
    }
  }

  private var numbers: [Place: Int] = [:]
  private var places: [Place] = []
  private var sums: [Key: Int128] = [:]

  /// The number of a meter and location, to be added under.
  mutating func place(meter: String, location: String) -> Int {
    let place = Place(meter: ExactText(meter), location: ExactText(location))
    if let number = numbers[place] { return number }
    numbers[place] = places.count
    places.append(place)
    return places.count - 1
  }

  mutating func add(_ quantity: Quantity, _ place: Int, _ day: Day) throws(StoreError) {
    let key = Key(place: place, day: day.index)
    let (sum, overflow) = (sums[key] ?? 0).addingReportingOverflow(quantity.attos)
    guard !overflow else { throw LocatedSums.tooLarge }
    sums[key] = sum
  }

  /// By meter, location and day.
  func sorted() throws(StoreError) -> [LocatedUsage] {
    // Texts are compared once for each place, not for each sum.
    var ranks = [Int](repeating: 0, count: places.count)
    let order = places.indices.sorted { places[$0].isBefore(places[$1]) }
    for (rank, place) in order.enumerated() { ranks[place] = rank }
    let keys = sums.keys.sorted { one, two in
      one.place == two.place ? one.day < two.day : ranks[one.place] < ranks[two.place]
    }
    var found: [LocatedUsage] = []
    found.reserveCapacity(keys.count)
    for key in keys {
      guard let quantity = Quantity(attos: sums[key] ?? 0) else { throw LocatedSums.tooLarge }
      let place = places[key.place]
      found.append(
        LocatedUsage(
          meter: place.meter.text, location: place.location.text, day: Day(index: key.day),
          quantity: quantity))
    }
    return found
  }

  static let tooLarge = StoreError(
    .overflow, "a total is too large; ask for a shorter time")

  /// The windows that can have usage of some hours. Usage is never reported before the window of its hour, but for what
  /// lies just ahead of the clock.
  static func windows(
    _ windows: Range<Hour>, _ hours: Range<Hour>, retainedFrom: Hour, openWindow: Hour
  ) throws(StoreError) -> Range<Hour> {
    let first = max(windows.lowerBound.index, hours.lowerBound.index - 1, 0)
    guard !windows.isEmpty, !hours.isEmpty else { return Hour(index: 0)..<Hour(index: 0) }
    guard retainedFrom.index <= first else {
      throw StoreError(
        .removed,
        "usage before \(retainedFrom.next.start) is no longer kept; ask for what comes after")
    }
    let end = max(first, min(windows.upperBound.index, openWindow.index + 1))
    return Hour(index: first)..<Hour(index: end)
  }
}
