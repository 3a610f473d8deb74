internal import CStackmeterProto
internal import Glibc

/// Memory for one message: allocated piece by piece, freed as a whole.
///
/// It backs protobuf-c's allocator while a message is unpacked, with a budget past which allocation fails, and
/// holds the C structs while a message is packed. Freed when the owner goes.
struct Arena: ~Copyable {
  /// The state lives at a fixed address, which protobuf-c's callbacks are given.
  private let state: UnsafeMutablePointer<State>

  private struct State {
    var allocator = ProtobufCAllocator()
    /// The chunk that is being filled. Each chunk starts with the address of the one before it.
    var chunk: UnsafeMutableRawPointer?
    var chunkUsed = 0
    var chunkSize = 0
    var allocatedBytes = 0
    var bytesMax: Int
    var isOverBudget = false

    /// Zero-filled memory is not promised. Nil past the budget or where the system has none.
    mutating func allocate(_ size: Int) -> UnsafeMutableRawPointer? {
      let aligned = (size + 15) & ~15
      if chunkUsed + aligned > chunkSize {
        let wanted = max(aligned + Arena.chunkHeader, min(chunkSize * 2, 1 << 20), 4096)
        guard allocatedBytes + wanted <= bytesMax, let fresh = malloc(wanted) else {
          isOverBudget = true
          return nil
        }
        fresh.storeBytes(of: chunk, as: UnsafeMutableRawPointer?.self)
        chunk = fresh
        chunkSize = wanted
        chunkUsed = Arena.chunkHeader
        allocatedBytes += wanted
      }
      let address = chunk! + chunkUsed
      chunkUsed += aligned
      return address
    }
  }

  private static let chunkHeader = 16

  /// `bytesMax` bounds all chunks together.
  init(bytesMax: Int) {
    state = .allocate(capacity: 1)
    state.initialize(to: State(bytesMax: bytesMax))
    state.pointee.allocator.allocator_data = UnsafeMutableRawPointer(state)
    state.pointee.allocator.alloc = { data, size in
      data!.assumingMemoryBound(to: State.self).pointee.allocate(size)
    }
    state.pointee.allocator.free = { _, _ in }
  }

  deinit {
    var chunk = state.pointee.chunk
    while let current = chunk {
      chunk = current.load(as: UnsafeMutableRawPointer?.self)
      free(current)
    }
    state.deinitialize(count: 1)
    state.deallocate()
  }

  /// For `protobuf_c_message_unpack`. Valid while the arena lives.
  var allocator: UnsafeMutablePointer<ProtobufCAllocator> {
    UnsafeMutableRawPointer(state).assumingMemoryBound(to: ProtobufCAllocator.self)
  }

  var isOverBudget: Bool { state.pointee.isOverBudget }
  var allocatedBytes: Int { state.pointee.allocatedBytes }

  /// Room for `count` values, not initialized. Packing has no budget, so this fails only without memory.
  func buffer<T>(_ type: T.Type, count: Int) -> UnsafeMutablePointer<T> {
    guard let raw = state.pointee.allocate(max(1, count) * MemoryLayout<T>.stride) else {
      preconditionFailure("out of memory while packing a message")
    }
    return raw.bindMemory(to: T.self, capacity: count)
  }

  /// A copy of `text` that ends in NUL.
  func text(_ text: String) -> UnsafeMutablePointer<CChar> {
    var text = text
    return text.withUTF8 { bytes in
      let copy = buffer(CChar.self, count: bytes.count + 1)
      copy.withMemoryRebound(to: UInt8.self, capacity: bytes.count) {
        if let base = bytes.baseAddress { $0.update(from: base, count: bytes.count) }
      }
      copy[bytes.count] = 0
      return copy
    }
  }

  func texts(_ texts: [String]) -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?> {
    let pointers = buffer(UnsafeMutablePointer<CChar>?.self, count: texts.count)
    for (index, element) in texts.enumerated() {
      (pointers + index).initialize(to: text(element))
    }
    return pointers
  }

  /// A copy of the bytes as a protobuf-c bytes field.
  func bytes(_ bytes: [UInt8]) -> ProtobufCBinaryData {
    let copy = buffer(UInt8.self, count: bytes.count)
    bytes.withUnsafeBufferPointer {
      if let base = $0.baseAddress { copy.update(from: base, count: $0.count) }
    }
    return ProtobufCBinaryData(len: bytes.count, data: copy)
  }

  /// A copy of a column.
  func column<T: BitwiseCopyable>(_ values: [T]) -> UnsafeMutablePointer<T> {
    let copy = buffer(T.self, count: values.count)
    values.withUnsafeBufferPointer {
      if let base = $0.baseAddress { copy.update(from: base, count: $0.count) }
    }
    return copy
  }

  /// A sub-message, initialized and then filled.
  func message<Raw: CMessage>(
    _ type: Raw.Type = Raw.self, _ fill: (inout Raw) -> Void
  ) -> UnsafeMutablePointer<Raw> {
    let message = buffer(Raw.self, count: 1)
    Raw.initialize(message)
    fill(&message.pointee)
    return message
  }

  /// A repeated field of sub-messages.
  func messages<Raw: CMessage, Element>(
    _ elements: [Element], _ fill: (Element, inout Raw) -> Void
  ) -> UnsafeMutablePointer<UnsafeMutablePointer<Raw>?> {
    let pointers = buffer(UnsafeMutablePointer<Raw>?.self, count: elements.count)
    for (index, element) in elements.enumerated() {
      (pointers + index).initialize(to: message { fill(element, &$0) })
    }
    return pointers
  }
}
