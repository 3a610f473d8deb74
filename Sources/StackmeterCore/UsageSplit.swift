/// The exact parts of an event's quantity, one for each usage hour that it touches.
///
/// Parts are pro rata to the nanoseconds in each hour, truncated at the 18th digit; the last part is what
/// remains, so that the parts always sum to the quantity. An event without duration belongs to its hour.
package struct UsageSplit: Sequence {
  package let start: Instant
  package let end: Instant
  package let quantity: Quantity

  /// `start ≤ end` is a precondition.
  package init(start: Instant, end: Instant, quantity: Quantity) {
    precondition(start <= end, "usage ends after it starts")
    self.start = start
    self.end = end
    self.quantity = quantity
  }

  package func makeIterator() -> Iterator {
    Iterator(split: self, hour: start.hour, given: .zero)
  }

  package struct Iterator: IteratorProtocol {
    let split: UsageSplit
    var hour: Hour?
    var given: Quantity

    package mutating func next() -> (hour: Hour, quantity: Quantity)? {
      guard let hour else { return nil }
      guard hour.end < split.end else {
        self.hour = nil
        // Never nil: each part has the sign of the whole and is at most what is left of it.
        return (hour, split.quantity.adding(given.negated)!)
      }
      let from = Swift.max(hour.start.nanoseconds, split.start.nanoseconds)
      let part = split.quantity.part(
        UInt64(hour.end.nanoseconds - from),
        of: UInt64(split.end.nanoseconds - split.start.nanoseconds))
      given = given.adding(part)!
      self.hour = hour.next
      return (hour, part)
    }
  }
}
