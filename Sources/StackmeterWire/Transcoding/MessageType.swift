internal import CStackmeterProto

/// A type of message that is known when the program runs: by the description that protoc-c made of it.
///
/// Between JSON and encoded messages by protobuf's own rules for JSON, for any message of the contract, without code
/// of its own for any.
// A descriptor is a constant of the program and never changes.
package struct MessageType: @unchecked Sendable {
  let descriptor: UnsafePointer<ProtobufCMessageDescriptor>

  package init<Message: WireMessage>(_ type: Message.Type) {
    descriptor = Message.Contract.descriptor
  }

  init(_ descriptor: UnsafePointer<ProtobufCMessageDescriptor>) {
    self.descriptor = descriptor
  }

  /// The full name, `stackmeter.v1.Series`.
  package var name: String { String(cString: descriptor.pointee.name) }

  /// Whether it says who asks.
  package var hasCaller: Bool { callerField != nil }

  var callerField: MessageField? {
    let caller = Stackmeter__V1__Caller.descriptor
    return fields.first { $0.isMessage && !$0.isRepeated && $0.messageDescriptor == caller }
  }

  package var fields: [MessageField] {
    (0..<Int(descriptor.pointee.n_fields)).map { MessageField(descriptor.pointee.fields + $0) }
  }

  /// The field by its name in JSON, or by that of the .proto file.
  func field(named name: String) -> MessageField? {
    guard let original = MessageField.originalName(name) else { return nil }
    return protobuf_c_message_descriptor_get_field_by_name(descriptor, original)
      .map(MessageField.init)
  }

  /// An entry of a map: protobuf-c knows maps only as messages with a key and a value.
  var isMapEntry: Bool {
    descriptor.pointee.n_fields == 2 && name.hasSuffix("Entry")
      && String(cString: descriptor.pointee.fields[0].name) == "key"
      && String(cString: descriptor.pointee.fields[1].name) == "value"
      && descriptor.pointee.fields[0].id == 1 && descriptor.pointee.fields[1].id == 2
  }
}

/// One field of a message type.
// As its message type.
package struct MessageField: @unchecked Sendable {
  /// What a value is, in JSON's terms.
  package enum Kind: Sendable {
    case text
    /// Base64.
    case bytes
    case flag
    /// A JSON number.
    case integer(ClosedRange<Int64>)
    /// 64 bits: a text in JSON, which has no such numbers.
    case long(isSigned: Bool)
    /// A name out of these.
    case choice([String])
    case message(MessageType)
    /// An object with such values.
    indirect case map(Kind)
  }

  let raw: UnsafePointer<ProtobufCFieldDescriptor>

  init(_ raw: UnsafePointer<ProtobufCFieldDescriptor>) {
    self.raw = raw
  }

  /// The name in the .proto file.
  var originalName: String { String(cString: raw.pointee.name) }

  /// The name in JSON: lower camel case.
  package var name: String {
    var name: [UInt8] = []
    var isNext = false
    for byte in originalName.utf8 {
      if byte == UInt8(ascii: "_") {
        isNext = true
        continue
      }
      name.append(isNext && (0x61...0x7A).contains(byte) ? byte - 0x20 : byte)
      isNext = false
    }
    return String(decoding: name, as: UTF8.self)
  }

  /// The name in the .proto file of a name in JSON, or that name itself. Nil for what is neither.
  static func originalName(_ name: String) -> String? {
    guard name.utf8.contains(where: { (0x41...0x5A).contains($0) }) else { return name }
    guard !name.utf8.contains(UInt8(ascii: "_")) else { return nil }
    var original: [UInt8] = []
    for byte in name.utf8 {
      if (0x41...0x5A).contains(byte) {
        original += [UInt8(ascii: "_"), byte + 0x20]
      } else {
        original.append(byte)
      }
    }
    return String(decoding: original, as: UTF8.self)
  }

  package var isRepeated: Bool { raw.pointee.label == PROTOBUF_C_LABEL_REPEATED && !isMap }

  var isMessage: Bool { raw.pointee.type == PROTOBUF_C_TYPE_MESSAGE }

  var isMap: Bool {
    raw.pointee.label == PROTOBUF_C_LABEL_REPEATED && isMessage
      && MessageType(messageDescriptor).isMapEntry
  }

  /// Of a field whose values are messages.
  var messageDescriptor: UnsafePointer<ProtobufCMessageDescriptor> {
    raw.pointee.descriptor.assumingMemoryBound(to: ProtobufCMessageDescriptor.self)
  }

  /// Of a field whose values are of an enum.
  var enumDescriptor: UnsafePointer<ProtobufCEnumDescriptor> {
    raw.pointee.descriptor.assumingMemoryBound(to: ProtobufCEnumDescriptor.self)
  }

  /// What a value is; of a repeated field, one of its values.
  package var kind: Kind {
    switch raw.pointee.type {
    case PROTOBUF_C_TYPE_STRING: return .text
    case PROTOBUF_C_TYPE_BYTES: return .bytes
    case PROTOBUF_C_TYPE_BOOL: return .flag
    case PROTOBUF_C_TYPE_INT32, PROTOBUF_C_TYPE_SINT32, PROTOBUF_C_TYPE_SFIXED32:
      return .integer(Int64(Int32.min)...Int64(Int32.max))
    case PROTOBUF_C_TYPE_UINT32, PROTOBUF_C_TYPE_FIXED32:
      return .integer(0...Int64(UInt32.max))
    case PROTOBUF_C_TYPE_INT64, PROTOBUF_C_TYPE_SINT64, PROTOBUF_C_TYPE_SFIXED64:
      return .long(isSigned: true)
    case PROTOBUF_C_TYPE_UINT64, PROTOBUF_C_TYPE_FIXED64:
      return .long(isSigned: false)
    case PROTOBUF_C_TYPE_ENUM:
      let values = enumDescriptor.pointee
      return .choice((0..<Int(values.n_values)).map { String(cString: values.values[$0].name) })
    case PROTOBUF_C_TYPE_MESSAGE:
      let type = MessageType(messageDescriptor)
      return isMap ? .map(type.fields[1].kind) : .message(type)
    default:
      // The contract has no floating point numbers; a test looks for them.
      preconditionFailure("the type of \(originalName) is one that the contract has")
    }
  }
}

/// Why a JSON text is not the message that it should be.
package struct TranscodingError: Error, Equatable {
  /// Such as `events[0].series.tags`; empty for the message itself.
  package let field: String
  package let problem: String

  package var explanation: String { field.isEmpty ? problem : "\(field): \(problem)" }
}
