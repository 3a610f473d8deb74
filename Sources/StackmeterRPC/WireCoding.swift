internal import GRPCCore
internal import StackmeterWire

/// Packs a wire message for gRPC with libprotobuf-c.
struct WireSerializer<Message: WireMessage>: MessageSerializer {
  func serialize<Bytes: GRPCContiguousBytes>(_ message: Message) throws -> Bytes {
    message.withPacking { size, write in
      var bytes = Bytes(repeating: 0, count: size)
      bytes.withUnsafeMutableBytes { write($0) }
      return bytes
    }
  }
}

/// Unpacks a wire message from gRPC with libprotobuf-c, within the limits of one message.
struct WireDeserializer<Message: WireMessage>: MessageDeserializer {
  func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> Message {
    do {
      return try bytes.withUnsafeBytes { try Message(unpacking: $0) }
    } catch let error as WireError {
      throw RPCError(error)
    }
  }
}

extension RPCError {
  /// What a peer is told about bytes that were not taken.
  init(_ error: WireError) {
    let code: Code =
      switch error {
      case .tooLarge, .overBudget: .resourceExhausted
      case .malformed, .invalidText, .invalidField: .invalidArgument
      }
    self.init(code: code, message: error.explanation)
  }
}
