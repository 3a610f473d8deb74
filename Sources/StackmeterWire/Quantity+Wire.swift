internal import CStackmeterProto
internal import StackmeterCore

extension Quantity {
  /// The attos of a wire quantity, or `Quantity.notAQuantity` where the parts disagree. An absent one is zero.
  static func attos(wire raw: UnsafeMutablePointer<Stackmeter__V1__Quantity>?) -> Int128 {
    guard let raw else { return 0 }
    return attos(units: raw.pointee.units, attos: raw.pointee.attos)
  }

  static func attos(units: Int64, attos: Int64) -> Int128 {
    Quantity(units: units, attos: attos)?.attos ?? EventBatch.notAQuantity
  }

  init(wire raw: UnsafeMutablePointer<Stackmeter__V1__Quantity>?) throws(WireError) {
    guard let quantity = Quantity(attos: Quantity.attos(wire: raw)) else {
      throw .invalidField(field: "quantity", problem: "units and attos do not make a quantity")
    }
    self = quantity
  }

  func wire(_ arena: borrowing Arena) -> UnsafeMutablePointer<Stackmeter__V1__Quantity> {
    arena.message { raw in
      raw.units = units
      raw.attos = remainingAttos
    }
  }
}
