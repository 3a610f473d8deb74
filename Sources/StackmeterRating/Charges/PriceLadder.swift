internal import StackmeterCore

/// The prices that the units of a billing period have, from the first unit on.
///
/// A quantity is a place on the ladder: usage that takes a meter from 90 to 110 units pays for what lies between. So
/// the parts of a period always sum to the whole of it, wherever it is divided.
struct PriceLadder: Hashable, Sendable {
  struct Step: Hashable, Sendable {
    /// The last place on it, in attos; `Int128.max` for the last step.
    let upTo: Int128
    /// Which tier of the card it is, from 1; 0 for what is included.
    let tier: Int
    /// Of one unit, or of one package where packages count when begun.
    let listPrice: Price
    /// The same after the discount.
    let price: Price
  }

  /// What lies on one step of a stretch of the ladder. Negative where the stretch goes down.
  struct Piece: Hashable {
    let step: Int
    /// In attos of the meter's unit.
    var consumed: Int128
    /// What the price of the step is multiplied with, in attos.
    var priced: Int128
  }

  let steps: [Step]
  /// The size of a package in attos where it counts when begun, else nil.
  let startedPackage: Int128?

  /// The step that a place is on: the first that has not ended before it.
  private func step(at place: Int128) -> Int {
    steps.firstIndex { place <= $0.upTo } ?? steps.count - 1
  }

  /// Calls `body` with the pieces between two places, upward or downward. Nothing where they are the same.
  func forEachPiece(from start: Int128, to end: Int128, _ body: (Piece) -> Void) {
    guard start != end else { return }
    let (low, high) = start < end ? (start, end) : (end, start)
    let isUp = start < end
    var place = low
    // A place that is the end of a step belongs to it, but what comes after it does not.
    var index = step(at: low)
    if low == steps[index].upTo { index += 1 }
    while place < high {
      let next = Swift.min(high, steps[index].upTo)
      let consumed = next - place
      let priced = startedPackage.map { packages(next, $0) - packages(place, $0) } ?? consumed
      body(
        Piece(
          step: index, consumed: isUp ? consumed : -consumed, priced: isUp ? priced : -priced))
      place = next
      index += 1
    }
  }

  /// The packages that are begun at a place, in attos of a package.
  private func packages(_ place: Int128, _ size: Int128) -> Int128 {
    let (quotient, remainder) = place.quotientAndRemainder(dividingBy: size)
    return (remainder > 0 ? quotient + 1 : quotient) * Quantity.attosPerUnit
  }

  /// The pieces that must be added to those of one stretch to get those of another on another ladder: of the first
  /// ladder with their signs turned, then of the second. Equal prices of equal tiers cancel.
  static func difference(
    _ old: PriceLadder, from oldStart: Int128, to oldEnd: Int128,
    _ new: PriceLadder, from newStart: Int128, to newEnd: Int128,
    _ body: (Step, Piece) -> Void
  ) {
    var pieces: [(step: Step, piece: Piece)] = []
    old.forEachPiece(from: oldStart, to: oldEnd) { piece in
      pieces.append(
        (
          old.steps[piece.step],
          Piece(step: piece.step, consumed: -piece.consumed, priced: -piece.priced)
        ))
    }
    new.forEachPiece(from: newStart, to: newEnd) { piece in
      let step = new.steps[piece.step]
      let same = pieces.firstIndex {
        $0.step.tier == step.tier && $0.step.price == step.price
          && $0.step.listPrice == step.listPrice
      }
      if let same {
        pieces[same].piece.consumed += piece.consumed
        pieces[same].piece.priced += piece.priced
      } else {
        pieces.append((step, piece))
      }
    }
    for (step, piece) in pieces where piece.consumed != 0 || piece.priced != 0 {
      body(step, piece)
    }
  }
}
