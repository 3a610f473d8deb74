import StackmeterCore
import StackmeterWire

/// One message of the wire: example values, and what every test does with it, whatever its type.
struct WireFixture: Sendable, CustomStringConvertible {
  /// The full name in the .proto files.
  let name: String
  let type: MessageType
  /// Example values, packed.
  let examples: [[UInt8]]
  /// Whether each example is equal to itself packed and unpacked.
  let roundTrips: @Sendable () throws(WireError) -> Bool
  /// Unpacks, and packs what came of it.
  let repack: @Sendable ([UInt8], WireLimits) throws(WireError) -> [UInt8]
  /// What unpacking takes.
  let memoryBytes: @Sendable ([UInt8], WireLimits) throws(WireError) -> Int

  var description: String { name }

  init<Message: WireMessage & Hashable>(_ name: String, _ values: [Message]) {
    self.name = name
    type = MessageType(Message.self)
    examples = values.map { $0.packed() }
    roundTrips = { () throws(WireError) in
      for value in values {
        guard try Message(value.packed()) == value else { return false }
      }
      return true
    }
    repack = { (bytes, limits) throws(WireError) in
      try Message(bytes, limits: limits).packed()
    }
    memoryBytes = { (bytes, limits) throws(WireError) in
      try bytes.withUnsafeBufferPointer { (bytes) throws(WireError) in
        try Unpacked<Message.Raw>(UnsafeRawBufferPointer(bytes), limits: limits).memoryBytes
      }
    }
  }
}

extension WireMessage {
  init(_ bytes: [UInt8], limits: WireLimits = .standard) throws(WireError) {
    self = try bytes.withUnsafeBufferPointer { (bytes) throws(WireError) in
      try Self(unpacking: UnsafeRawBufferPointer(bytes), limits: limits)
    }
  }
}

extension WireError {
  /// The field at fault, where the error names one.
  var field: String? {
    switch self {
    case .invalidText(let field, _), .invalidField(let field, _): field
    case .tooLarge, .malformed, .overBudget: nil
    }
  }

  var isMalformed: Bool { if case .malformed = self { true } else { false } }
  var isOverBudget: Bool { if case .overBudget = self { true } else { false } }
}

/// The error of `body`, or nil where it throws none.
func wireError<Result>(_ body: () throws(WireError) -> Result) -> WireError? {
  do throws(WireError) {
    _ = try body()
    return nil
  } catch {
    return error
  }
}
