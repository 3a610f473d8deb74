internal import CStackmeterProto

/// A Swift value that travels as a protobuf-c message.
package protocol WireMessage: Sendable {
  /// What it is read from and written as.
  associatedtype Raw: CMessage
  /// The message of the contract: the same bytes, where the two differ.
  associatedtype Contract: CMessage = Raw
  /// Copies the value out of a lent message.
  init(wire raw: borrowing Raw) throws(WireError)
  /// Sets the fields of an initialized message; all parts are the packer's.
  func fill(_ raw: inout Raw, _ packer: borrowing Packer)
}

/// Where the parts of a message live until it is packed.
package struct Packer: ~Copyable {
  let arena = Arena(bytesMax: .max)
}

extension WireMessage {
  /// Reads a value from the bytes of a peer.
  package init(
    unpacking bytes: UnsafeRawBufferPointer, limits: WireLimits = .standard
  ) throws(WireError) {
    let unpacked = try Unpacked<Raw>(bytes, limits: limits)
    self = try unpacked.withMessage { (raw) throws(WireError) in try Self(wire: raw) }
  }

  /// Lends a packer of exactly `size` bytes: `write` must be called once with that much room.
  package func withPacking<Result>(
    _ body: (_ size: Int, _ write: (UnsafeMutableRawBufferPointer) -> Void) -> Result
  ) -> Result {
    let packer = Packer()
    let message = packer.arena.message(Raw.self) { fill(&$0, packer) }
    return message.withMemoryRebound(to: ProtobufCMessage.self, capacity: 1) { base in
      let size = protobuf_c_message_get_packed_size(base)
      return body(size) { room in
        precondition(room.count >= size, "room for the packed message")
        guard size > 0, let start = room.baseAddress else { return }
        let written = protobuf_c_message_pack(base, start.assumingMemoryBound(to: UInt8.self))
        precondition(written == size, "a message packs to the size that it said")
      }
    }
  }

  /// The encoded message.
  package func packed() -> [UInt8] {
    withPacking { size, write in
      [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
        write(UnsafeMutableRawBufferPointer(buffer))
        count = size
      }
    }
  }
}
