internal import CStackmeterProto
internal import StackmeterCore

extension MessageType {
  /// Writes an encoded message as JSON: names in camel case, 64-bit numbers as texts, nothing where a field has its
  /// default.
  package func json(_ bytes: [UInt8], limits: WireLimits = .standard) throws(WireError) -> [UInt8] {
    try bytes.withUnsafeBufferPointer { (bytes) throws(WireError) in
      var writer = JSONWriter()
      let unpacked = try UnpackedAny(UnsafeRawBufferPointer(bytes), descriptor, limits: limits)
      unpacked.withMessage { message in writer.object { $0.members(of: self, message) } }
      return writer.bytes
    }
  }
}

extension JSONWriter {
  fileprivate mutating func members(of type: MessageType, _ message: UnsafeRawPointer) {
    for field in type.fields {
      let place = message + field.offset
      if field.raw.pointee.label == PROTOBUF_C_LABEL_REPEATED {
        let count = (message + field.quantifierOffset).load(as: Int.self)
        guard count > 0, let start = place.load(as: UnsafeRawPointer?.self) else { continue }
        let elements = (0..<count).map { start + $0 * field.elementSize }
        if field.isMap {
          map(field, elements)
        } else {
          member(
            field.name,
            array: { writer in for element in elements { writer.value(field, element) } })
        }
      } else if field.isPresent(in: message) {
        name(field.name)
        value(field, place)
      }
    }
  }

  private mutating func map(_ field: MessageField, _ entries: [UnsafeRawPointer]) {
    let parts = MessageType(field.messageDescriptor).fields
    // Protobuf takes the last of two equal keys; JSON may not have two.
    var places: [String: UnsafeRawPointer] = [:]
    var keys: [String] = []
    for entry in entries {
      guard let entry = entry.load(as: UnsafeRawPointer?.self) else { continue }
      let key = parts[0].keyText(entry + parts[0].offset)
      if places.updateValue(entry + parts[1].offset, forKey: key) == nil { keys.append(key) }
    }
    member(
      field.name,
      object: { writer in
        for key in keys {
          writer.name(key)
          writer.value(parts[1], places[key]!)
        }
      })
  }

  private mutating func value(_ field: MessageField, _ place: UnsafeRawPointer) {
    switch field.raw.pointee.type {
    case PROTOBUF_C_TYPE_STRING:
      string(text(place.load(as: UnsafeMutablePointer<CChar>?.self)))
    case PROTOBUF_C_TYPE_BYTES:
      let data = place.load(as: ProtobufCBinaryData.self)
      string(
        Base64.text(
          UnsafeRawBufferPointer(start: data.data, count: data.data == nil ? 0 : data.len)))
    case PROTOBUF_C_TYPE_BOOL: raw(place.load(as: protobuf_c_boolean.self) != 0 ? "true" : "false")
    case PROTOBUF_C_TYPE_ENUM:
      let number = place.load(as: Int32.self)
      if let known = protobuf_c_enum_descriptor_get_value(field.enumDescriptor, number) {
        string(String(cString: known.pointee.name))
      } else {
        raw("\(number)")
      }
    case PROTOBUF_C_TYPE_MESSAGE:
      let type = MessageType(field.messageDescriptor)
      guard let message = place.load(as: UnsafeRawPointer?.self) else {
        object { _ in }
        return
      }
      object { writer in writer.members(of: type, message) }
    case PROTOBUF_C_TYPE_UINT64, PROTOBUF_C_TYPE_FIXED64: string("\(place.load(as: UInt64.self))")
    case PROTOBUF_C_TYPE_INT64, PROTOBUF_C_TYPE_SINT64, PROTOBUF_C_TYPE_SFIXED64:
      string("\(place.load(as: Int64.self))")
    case PROTOBUF_C_TYPE_UINT32, PROTOBUF_C_TYPE_FIXED32: raw("\(place.load(as: UInt32.self))")
    default: raw("\(place.load(as: Int32.self))")
    }
  }
}

extension MessageField {
  /// Whether there is something to say: it has not its default, or was set although it has.
  fileprivate func isPresent(in message: UnsafeRawPointer) -> Bool {
    let place = message + offset
    if isOfOneof {
      return (message + quantifierOffset).load(as: UInt32.self) == raw.pointee.id
    }
    switch raw.pointee.type {
    case PROTOBUF_C_TYPE_MESSAGE: return place.load(as: UnsafeRawPointer?.self) != nil
    case PROTOBUF_C_TYPE_STRING:
      return place.load(as: UnsafeMutablePointer<CChar>?.self).map { $0.pointee != 0 } ?? false
    case PROTOBUF_C_TYPE_BYTES: return place.load(as: ProtobufCBinaryData.self).len > 0
    default:
      if raw.pointee.label == PROTOBUF_C_LABEL_OPTIONAL, raw.pointee.quantifier_offset != 0 {
        return (message + quantifierOffset).load(as: protobuf_c_boolean.self) != 0
      }
      return elementSize == 8 ? place.load(as: UInt64.self) != 0 : place.load(as: UInt32.self) != 0
    }
  }

  /// A map's key as JSON has it.
  fileprivate func keyText(_ place: UnsafeRawPointer) -> String {
    switch raw.pointee.type {
    case PROTOBUF_C_TYPE_STRING: text(place.load(as: UnsafeMutablePointer<CChar>?.self))
    case PROTOBUF_C_TYPE_BOOL: place.load(as: protobuf_c_boolean.self) != 0 ? "true" : "false"
    case PROTOBUF_C_TYPE_UINT64, PROTOBUF_C_TYPE_FIXED64: "\(place.load(as: UInt64.self))"
    case PROTOBUF_C_TYPE_INT64, PROTOBUF_C_TYPE_SINT64, PROTOBUF_C_TYPE_SFIXED64:
      "\(place.load(as: Int64.self))"
    case PROTOBUF_C_TYPE_UINT32, PROTOBUF_C_TYPE_FIXED32: "\(place.load(as: UInt32.self))"
    default: "\(place.load(as: Int32.self))"
    }
  }
}
