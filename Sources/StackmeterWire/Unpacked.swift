internal import CStackmeterProto

/// Owns one unpacked protobuf-c message and all its parts.
///
/// The message is lent to a closure and never given away; all of its memory goes with the owner.
package struct Unpacked<Raw: CMessage>: ~Copyable {
  private let any: UnpackedAny

  /// Unpacks after checking the size, the structure and every string, into an arena with a budget.
  package init(_ bytes: UnsafeRawBufferPointer, limits: WireLimits) throws(WireError) {
    any = try UnpackedAny(bytes, Raw.descriptor, limits: limits)
  }

  /// Lends the message. Every pointer in it may be nil, also of an empty bytes field.
  package borrowing func withMessage<Result>(
    _ body: (borrowing Raw) throws(WireError) -> Result
  ) throws(WireError) -> Result {
    try body(any.message.assumingMemoryBound(to: Raw.self).pointee)
  }

  /// What the unpacked parts occupy.
  package var memoryBytes: Int { any.memoryBytes }
}

/// As `Unpacked`, of a type that is known when the program runs.
struct UnpackedAny: ~Copyable {
  private let arena: Arena
  fileprivate let message: UnsafeRawPointer

  init(
    _ bytes: UnsafeRawBufferPointer, _ descriptor: UnsafePointer<ProtobufCMessageDescriptor>,
    limits: WireLimits
  ) throws(WireError) {
    guard bytes.count <= limits.messageBytesMax else {
      throw .tooLarge(bytes: bytes.count, max: limits.messageBytesMax)
    }
    try RawMessageCheck(bytes: bytes, limits: limits).check(descriptor)
    let arena = Arena(bytesMax: limits.memoryBytesMax)
    // An empty message has no address of its own; protobuf-c wants one all the same.
    var none: UInt8 = 0
    let unpacked = withUnsafePointer(to: &none) { none in
      protobuf_c_message_unpack(
        descriptor, arena.allocator, bytes.count,
        bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) ?? none)
    }
    guard let unpacked else {
      if arena.isOverBudget { throw .overBudget(bytesMax: limits.memoryBytesMax) }
      throw .malformed(message: String(cString: descriptor.pointee.name), offset: 0)
    }
    message = UnsafeRawPointer(unpacked)
    self.arena = arena
  }

  borrowing func withMessage<Result>(_ body: (UnsafeRawPointer) -> Result) -> Result {
    body(message)
  }

  var memoryBytes: Int { arena.allocatedBytes }
}

/// The text of a string field, which was checked before it was unpacked.
func text(_ pointer: UnsafeMutablePointer<CChar>?) -> String {
  guard let pointer else { return "" }
  return String(cString: pointer)
}

/// A string field that says nothing where it is empty.
func nonEmptyText(_ pointer: UnsafeMutablePointer<CChar>?) -> String? {
  guard let pointer, pointer.pointee != 0 else { return nil }
  return String(cString: pointer)
}

/// A repeated string field.
func texts(_ pointer: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ count: Int) -> [String]
{
  guard let pointer else { return [] }
  return (0..<count).map { text(pointer[$0]) }
}

/// The bytes of a bytes field.
func bytes(_ data: ProtobufCBinaryData) -> [UInt8] {
  Array(UnsafeRawBufferPointer(start: data.data, count: data.data == nil ? 0 : data.len))
}

/// A repeated number field.
func column<T: BitwiseCopyable>(_ pointer: UnsafeMutablePointer<T>?, _ count: Int) -> [T] {
  Array(UnsafeBufferPointer(start: pointer, count: pointer == nil ? 0 : count))
}

/// A repeated message field.
func elements<Raw, Element>(
  _ pointer: UnsafeMutablePointer<UnsafeMutablePointer<Raw>?>?, _ count: Int,
  _ read: (borrowing Raw) throws(WireError) -> Element
) throws(WireError) -> [Element] {
  guard let pointer else { return [] }
  var elements: [Element] = []
  elements.reserveCapacity(count)
  for index in 0..<count {
    guard let element = pointer[index] else { continue }
    elements.append(try read(element.pointee))
  }
  return elements
}
