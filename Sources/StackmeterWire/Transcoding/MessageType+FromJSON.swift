internal import CStackmeterProto
package import StackmeterCore

extension MessageType {
  /// Encodes a message that is written as JSON. Where the type says who asks, that is `caller`, whatever is written.
  package func packed(
    _ value: JSONValue, caller: Caller
  ) throws(TranscodingError) -> [UInt8] {
    let filler = MessageFiller()
    let callerField = callerField
    let message = try filler.message(self, value, path: "", passingOver: callerField)
    if let callerField {
      (message + callerField.offset).storeBytes(
        of: caller.wire(filler.arena), as: UnsafeMutablePointer<Stackmeter__V1__Caller>?.self)
    }
    return MessageType.packed(message)
  }

  /// Checks an encoded message and encodes it again. Where the type says who asks, that is `caller` then.
  package func packed(
    _ bytes: [UInt8], caller: Caller, limits: WireLimits = .standard
  ) throws(WireError) -> [UInt8] {
    let callerField = callerField
    return try bytes.withUnsafeBufferPointer { (bytes) throws(WireError) in
      let unpacked = try UnpackedAny(UnsafeRawBufferPointer(bytes), descriptor, limits: limits)
      let arena = Arena(bytesMax: .max)
      return unpacked.withMessage { message in
        let message = UnsafeMutableRawPointer(mutating: message)
        if let callerField {
          (message + callerField.offset).storeBytes(
            of: caller.wire(arena), as: UnsafeMutablePointer<Stackmeter__V1__Caller>?.self)
        }
        return MessageType.packed(message)
      }
    }
  }

  private static func packed(_ message: UnsafeMutableRawPointer) -> [UInt8] {
    let base = message.assumingMemoryBound(to: ProtobufCMessage.self)
    let size = protobuf_c_message_get_packed_size(base)
    return [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      guard size > 0 else { return }
      count = protobuf_c_message_pack(base, buffer.baseAddress!)
      precondition(count == size, "a message packs to the size that it said")
    }
  }
}

extension MessageField {
  /// Where the value is in the C struct: a pointer, a number, or for a repeated field the address of its elements.
  var offset: Int { Int(raw.pointee.offset) }
  /// Where the struct says how many there are, which member of a oneof is set, or that an optional number is.
  var quantifierOffset: Int { Int(raw.pointee.quantifier_offset) }
  var isOfOneof: Bool { raw.pointee.flags & UInt32(PROTOBUF_C_FIELD_FLAG_ONEOF.rawValue) != 0 }

  /// How many bytes an element of a repeated field takes.
  var elementSize: Int {
    switch raw.pointee.type {
    case PROTOBUF_C_TYPE_BYTES: MemoryLayout<ProtobufCBinaryData>.stride
    case PROTOBUF_C_TYPE_STRING, PROTOBUF_C_TYPE_MESSAGE: MemoryLayout<UnsafeRawPointer>.stride
    case PROTOBUF_C_TYPE_INT64, PROTOBUF_C_TYPE_SINT64, PROTOBUF_C_TYPE_SFIXED64,
      PROTOBUF_C_TYPE_UINT64, PROTOBUF_C_TYPE_FIXED64:
      8
    // protobuf-c's bool is an int, and so are its enums.
    default: 4
    }
  }
}

/// Fills C structs by their descriptors. Their memory is the arena's.
private struct MessageFiller: ~Copyable {
  let arena = Arena(bytesMax: .max)

  func message(
    _ type: MessageType, _ value: JSONValue, path: String, passingOver: MessageField? = nil
  ) throws(TranscodingError) -> UnsafeMutableRawPointer {
    guard case .object(let members) = value else {
      throw TranscodingError(field: path, problem: "must be a JSON object")
    }
    let message = initialized(type)
    // One bit for each field, in the descriptor's order.
    var seen: UInt64 = 0
    for member in members {
      let at = path.isEmpty ? member.name : "\(path).\(member.name)"
      guard let field = type.field(named: member.name) else {
        throw TranscodingError(
          field: at,
          problem: "unknown field; known are \(type.fields.map(\.name).joined(separator: ", "))")
      }
      let bit: UInt64 = 1 << UInt64(field.raw - type.descriptor.pointee.fields)
      guard seen & bit == 0 else {
        throw TranscodingError(field: at, problem: "stands twice, under both of its names")
      }
      seen |= bit
      if field.raw == passingOver?.raw { continue }
      // The value that the field has without being named.
      if case .null = member.value { continue }
      try set(field, of: message, member.value, path: at)
    }
    return message
  }

  private func initialized(_ type: MessageType) -> UnsafeMutableRawPointer {
    let message = UnsafeMutableRawPointer(
      arena.buffer(UInt8.self, count: type.descriptor.pointee.sizeof_message))
    protobuf_c_message_init(type.descriptor, message)
    return message
  }

  private func set(
    _ field: MessageField, of message: UnsafeMutableRawPointer, _ value: JSONValue, path: String
  ) throws(TranscodingError) {
    if field.isMap {
      try setMap(field, of: message, value, path: path)
    } else if field.isRepeated {
      guard case .array(let elements) = value else {
        throw TranscodingError(field: path, problem: "must be an array")
      }
      let start = makeElements(elements.count, of: field, message)
      for (index, element) in elements.enumerated() {
        try store(
          field, element, at: start + index * field.elementSize, path: "\(path)[\(index)]")
      }
    } else {
      if field.isOfOneof {
        let place = message + field.quantifierOffset
        guard place.load(as: UInt32.self) == 0 else {
          throw TranscodingError(
            field: path, problem: "may not stand beside the others of its kind")
        }
        place.storeBytes(of: field.raw.pointee.id, as: UInt32.self)
      } else if field.raw.pointee.label == PROTOBUF_C_LABEL_OPTIONAL,
        field.raw.pointee.quantifier_offset != 0
      {
        (message + field.quantifierOffset).storeBytes(of: 1, as: protobuf_c_boolean.self)
      }
      try store(field, value, at: message + field.offset, path: path)
    }
  }

  /// Room for the elements of a repeated field, of which the message knows.
  private func makeElements(
    _ count: Int, of field: MessageField, _ message: UnsafeMutableRawPointer
  ) -> UnsafeMutableRawPointer {
    let start = UnsafeMutableRawPointer(
      arena.buffer(UInt8.self, count: max(1, count) * field.elementSize))
    (message + field.quantifierOffset).storeBytes(of: count, as: Int.self)
    (message + field.offset).storeBytes(of: start, as: UnsafeMutableRawPointer?.self)
    return start
  }

  /// A map's keys are texts in JSON, whatever they are in the message.
  private func setMap(
    _ field: MessageField, of message: UnsafeMutableRawPointer, _ value: JSONValue, path: String
  ) throws(TranscodingError) {
    guard case .object(let members) = value else {
      throw TranscodingError(field: path, problem: "must be an object")
    }
    let type = MessageType(field.messageDescriptor)
    let parts = type.fields
    let start = makeElements(members.count, of: field, message)
    for (index, member) in members.enumerated() {
      let at = "\(path)[\"\(member.name)\"]"
      let entry = initialized(type)
      let key: JSONValue = parts[0].isFlag ? .bool(member.name == "true") : .string(member.name)
      guard !parts[0].isFlag || ["true", "false"].contains(member.name) else {
        throw TranscodingError(field: at, problem: "the key must be true or false")
      }
      try store(parts[0], key, at: entry + parts[0].offset, path: at)
      if case .null = member.value {
        throw TranscodingError(field: at, problem: "must not be null")
      }
      try store(parts[1], member.value, at: entry + parts[1].offset, path: at)
      (start + index * field.elementSize).storeBytes(
        of: entry, as: UnsafeMutableRawPointer?.self)
    }
  }

  /// Stores one value.
  private func store(
    _ field: MessageField, _ value: JSONValue, at place: UnsafeMutableRawPointer, path: String
  ) throws(TranscodingError) {
    func wrong(_ expected: String) -> TranscodingError {
      TranscodingError(field: path, problem: "must be \(expected)")
    }
    switch field.raw.pointee.type {
    case PROTOBUF_C_TYPE_STRING:
      guard let text = value.string else { throw wrong("a string") }
      place.storeBytes(of: arena.text(text), as: UnsafeMutablePointer<CChar>?.self)
    case PROTOBUF_C_TYPE_BYTES:
      guard let bytes = value.string.flatMap(Base64.bytes) else { throw wrong("base64") }
      place.storeBytes(of: arena.bytes(bytes), as: ProtobufCBinaryData.self)
    case PROTOBUF_C_TYPE_BOOL:
      guard case .bool(let flag) = value else { throw wrong("true or false") }
      place.storeBytes(of: flag ? 1 : 0, as: protobuf_c_boolean.self)
    case PROTOBUF_C_TYPE_ENUM:
      place.storeBytes(of: try enumValue(field, value, path: path), as: Int32.self)
    case PROTOBUF_C_TYPE_MESSAGE:
      let part = try message(MessageType(field.messageDescriptor), value, path: path)
      place.storeBytes(of: part, as: UnsafeMutableRawPointer?.self)
    case PROTOBUF_C_TYPE_UINT64, PROTOBUF_C_TYPE_FIXED64:
      place.storeBytes(of: try integer(UInt64.self, value, path), as: UInt64.self)
    case PROTOBUF_C_TYPE_INT64, PROTOBUF_C_TYPE_SINT64, PROTOBUF_C_TYPE_SFIXED64:
      place.storeBytes(of: try integer(Int64.self, value, path), as: Int64.self)
    case PROTOBUF_C_TYPE_UINT32, PROTOBUF_C_TYPE_FIXED32:
      place.storeBytes(of: try integer(UInt32.self, value, path), as: UInt32.self)
    default:
      place.storeBytes(of: try integer(Int32.self, value, path), as: Int32.self)
    }
  }

  /// By its name or its number. A number that the contract does not name is kept, as protobuf keeps it.
  private func enumValue(
    _ field: MessageField, _ value: JSONValue, path: String
  ) throws(TranscodingError) -> Int32 {
    if case .string(let name) = value,
      let found = protobuf_c_enum_descriptor_get_value_by_name(field.enumDescriptor, name)
    {
      return Int32(found.pointee.value)
    }
    guard case .number(let token) = value, let number = Int32(exactly: token) else {
      guard case .choice(let names) = field.kind else {
        throw TranscodingError(field: path, problem: "must be a number")
      }
      throw TranscodingError(
        field: path, problem: "must be one of \(names.joined(separator: ", "))")
    }
    return number
  }

  /// A number, or a string that holds one; 1.0 and 1e3 are whole numbers too.
  private func integer<T: FixedWidthInteger>(
    _ type: T.Type, _ value: JSONValue, _ path: String
  ) throws(TranscodingError) -> T {
    switch value {
    case .number(let token):
      if let number = T(exactly: token) { return number }
    case .string(let token):
      // Only what would be a number without its quotation marks.
      if let parsed = try? JSONValue(parsing: Array(token.utf8), limits: .event),
        case .number(token) = parsed, let number = T(exactly: token)
      {
        return number
      }
    default: break
    }
    throw TranscodingError(
      field: path, problem: "must be a whole number from \(T.min) to \(T.max)")
  }
}

extension MessageField {
  fileprivate var isFlag: Bool { raw.pointee.type == PROTOBUF_C_TYPE_BOOL }
}

extension FixedWidthInteger {
  /// The value of a JSON number; nil where it is not whole or does not fit.
  fileprivate init?(exactly token: String) {
    if let value = Self(token) {
      self = value
      return
    }
    guard token.utf8.contains(where: { !(0x30...0x39).contains($0) && $0 != UInt8(ascii: "-") }),
      let quantity = try? Quantity(parsing: token), quantity.attos % Quantity.attosPerUnit == 0,
      let value = Self(exactly: quantity.attos / Quantity.attosPerUnit)
    else { return nil }
    self = value
  }
}
