internal import GRPCCore
internal import StackmeterWire

/// Packs a wire message for gRPC with libprotobuf-c, and refuses one of more than `bytesMax`.
///
/// A server refuses what no peer would take. A client leaves that to the server, whose refusal has words.
struct WireSerializer<Message: WireMessage>: MessageSerializer {
  var bytesMax = RPCLimits.messageBytesMax

  func serialize<Bytes: GRPCContiguousBytes>(_ message: Message) throws -> Bytes {
    let packed: Result<Bytes, WireError> = message.withPacking { size, write in
      guard size <= bytesMax else {
        return .failure(.tooLarge(bytes: size, max: bytesMax))
      }
      var bytes = Bytes(repeating: 0, count: size)
      bytes.withUnsafeMutableBytes { write($0) }
      return .success(bytes)
    }
    switch packed {
    case .success(let bytes): return bytes
    case .failure(let error): throw RPCError(error)
    }
  }
}

/// Sends a message that is packed already.
struct PackedSerializer: MessageSerializer {
  func serialize<Bytes: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Bytes {
    Bytes(message)
  }
}

/// Takes a message as it came.
struct PackedDeserializer: MessageDeserializer {
  func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> [UInt8] {
    bytes.withUnsafeBytes { Array($0) }
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
      // Not RESOURCE_EXHAUSTED, which says that a retry may help.
      case .tooLarge, .overBudget: .outOfRange
      case .malformed, .invalidText, .invalidField: .invalidArgument
      }
    self.init(code: code, message: error.explanation)
  }
}
