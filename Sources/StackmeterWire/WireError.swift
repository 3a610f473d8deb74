/// Why bytes are not a message that is taken.
package enum WireError: Error, Equatable {
  /// More bytes than a message may have.
  case tooLarge(bytes: Int, max: Int)
  /// Not protobuf of this message: cut off, a wrong wire type, a bad length.
  case malformed(message: String, offset: Int)
  /// The message's parts would need more memory than its budget.
  case overBudget(bytesMax: Int)
  /// A string that is not UTF-8, holds NUL, or is longer than strings may be.
  case invalidText(field: String, problem: String)
  /// A field breaks a rule of its message: columns of different lengths, an index out of range.
  case invalidField(field: String, problem: String)

  /// One line that names the field and the fault.
  package var explanation: String {
    switch self {
    case .tooLarge(let bytes, let max): "message of \(bytes) bytes; at most \(max) are taken"
    case .malformed(let message, let offset): "malformed \(message) at byte \(offset)"
    case .overBudget(let max): "message needs more than its memory budget of \(max) bytes"
    case .invalidText(let field, let problem), .invalidField(let field, let problem):
      "\(field): \(problem)"
    }
  }
}

/// What one message may cost. Every unpacking goes through these.
package struct WireLimits: Sendable {
  /// The encoded message.
  package var messageBytesMax: Int
  /// All memory that unpacking allocates. Empty sub-messages cost 50 times their wire size, so this is what
  /// bounds an attack. Eight times a full frame is enough unless that is full of tags of one letter, and whoever
  /// sends those sends fewer at once.
  package var memoryBytesMax: Int
  /// One string or bytes-like name.
  package var textBytesMax: Int

  package init(messageBytesMax: Int, memoryBytesMax: Int, textBytesMax: Int) {
    self.messageBytesMax = messageBytesMax
    self.memoryBytesMax = memoryBytesMax
    self.textBytesMax = textBytesMax
  }

  package static let standard = WireLimits(
    messageBytesMax: 4 << 20, memoryBytesMax: 32 << 20, textBytesMax: 64 << 10)
}
