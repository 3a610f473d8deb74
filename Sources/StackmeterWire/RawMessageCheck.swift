internal import CStackmeterProto

/// Walks the encoded bytes of a message by its descriptor, before protobuf-c sees them.
///
/// protobuf-c 1.4.1 takes strings that are not UTF-8 and cuts them at a NUL, so that two names can become one.
/// The raw bytes still tell. It also reads a bool from any wire type, and merges a sub-message that stands
/// twice by forgetting numbers of the first, so that 7 units and then 5 attos are 5 attos.
///
/// What is checked, at any depth: the structure (lengths inside the message, no groups, wire types that fit), that
/// no sub-message stands twice unless it is repeated, and that every string is UTF-8 without NUL and of a bounded
/// length. Messages are never recursive, so the depth is that of the .proto files.
struct RawMessageCheck {
  private let bytes: UnsafeRawBufferPointer
  private let limits: WireLimits

  init(bytes: UnsafeRawBufferPointer, limits: WireLimits) {
    self.bytes = bytes
    self.limits = limits
  }

  func check(_ descriptor: UnsafePointer<ProtobufCMessageDescriptor>) throws(WireError) {
    try check(descriptor, 0..<bytes.count)
  }

  private func check(
    _ descriptor: UnsafePointer<ProtobufCMessageDescriptor>, _ range: Range<Int>
  ) throws(WireError) {
    var position = range.lowerBound
    func malformed() -> WireError {
      .malformed(message: String(cString: descriptor.pointee.name), offset: position)
    }
    func varint() throws(WireError) -> UInt64 {
      var value: UInt64 = 0
      var shift: UInt64 = 0
      while position < range.upperBound, shift < 64 {
        let byte = bytes[position]
        position += 1
        value |= UInt64(byte & 0x7F) << shift
        if byte < 0x80 { return value }
        shift += 7
      }
      throw malformed()
    }
    // One bit for each field, in the descriptor's order.
    var seenMessages: UInt64 = 0
    while position < range.upperBound {
      let key = try varint()
      guard key >> 3 > 0, key >> 3 < 1 << 29 else { throw malformed() }
      let field = protobuf_c_message_descriptor_get_field(descriptor, UInt32(key >> 3))
      if let field {
        guard RawMessageCheck.isTaken(wireType: key & 7, field) else { throw malformed() }
        if field.pointee.type == PROTOBUF_C_TYPE_MESSAGE,
          field.pointee.label != PROTOBUF_C_LABEL_REPEATED
        {
          let bit: UInt64 = 1 << UInt64(field - descriptor.pointee.fields)
          guard seenMessages & bit == 0 else {
            throw .invalidField(field: String(cString: field.pointee.name), problem: "stands twice")
          }
          seenMessages |= bit
        }
      }
      let length: Int
      switch key & 7 {
      case 0:
        _ = try varint()
        continue
      case 1: length = 8
      case 2: length = Int(clamping: try varint())
      case 5: length = 4
      default: throw malformed()
      }
      guard length <= range.upperBound - position else { throw malformed() }
      let content = position..<position + length
      if key & 7 == 2, let field { try check(field, content) }
      position += length
    }
  }

  /// Whether a value of the field may have this wire type. Repeated numbers come one by one or packed.
  private static func isTaken(
    wireType: UInt64, _ field: UnsafePointer<ProtobufCFieldDescriptor>
  ) -> Bool {
    switch field.pointee.type {
    case PROTOBUF_C_TYPE_MESSAGE, PROTOBUF_C_TYPE_STRING, PROTOBUF_C_TYPE_BYTES:
      return wireType == 2
    case PROTOBUF_C_TYPE_FIXED64, PROTOBUF_C_TYPE_SFIXED64, PROTOBUF_C_TYPE_DOUBLE:
      if wireType == 1 { return true }
    case PROTOBUF_C_TYPE_FIXED32, PROTOBUF_C_TYPE_SFIXED32, PROTOBUF_C_TYPE_FLOAT:
      if wireType == 5 { return true }
    default:
      if wireType == 0 { return true }
    }
    return wireType == 2 && field.pointee.label == PROTOBUF_C_LABEL_REPEATED
  }

  private func check(
    _ field: UnsafePointer<ProtobufCFieldDescriptor>, _ content: Range<Int>
  ) throws(WireError) {
    switch field.pointee.type {
    case PROTOBUF_C_TYPE_MESSAGE:
      try check(
        field.pointee.descriptor.assumingMemoryBound(to: ProtobufCMessageDescriptor.self), content)
    case PROTOBUF_C_TYPE_STRING:
      let text = UnsafeRawBufferPointer(rebasing: bytes[content])
      func invalid(_ problem: String) -> WireError {
        .invalidText(field: String(cString: field.pointee.name), problem: problem)
      }
      guard text.count <= limits.textBytesMax else {
        throw invalid("has \(text.count) bytes; at most \(limits.textBytesMax) are taken")
      }
      guard !text.contains(0) else { throw invalid("holds the character NUL") }
      guard text.isUTF8 else { throw invalid("is not UTF-8") }
    default:
      break
    }
  }
}

extension UnsafeRawBufferPointer {
  /// Whether the bytes are well-formed UTF-8. ASCII, the common case, is seen eight bytes at a time.
  package var isUTF8: Bool {
    var position = 0
    while position + 8 <= count,
      loadUnaligned(fromByteOffset: position, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
    {
      position += 8
    }
    while position < count, self[position] < 0x80 { position += 1 }
    guard position < count else { return true }
    return String(
      validating: UnsafeRawBufferPointer(rebasing: self[position...]), as: UTF8.self) != nil
  }
}
