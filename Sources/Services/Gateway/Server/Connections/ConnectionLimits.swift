/// What one connection may cost, and how many there may be.
package struct ConnectionLimits: Hashable, Sendable {
  /// Open connections. Past this, the one that has waited longest for a request to be whole makes room.
  package var connectionsMax: Int
  /// From the first byte of a request, or the beginning of the connection, until its head is whole.
  package var headTimeMax: Duration
  /// A connection that sends nothing for so long is closed, in the middle of a request too.
  package var idleTimeMax: Duration
  /// How long a part of an answer may wait for the client to take it.
  package var writeTimeMax: Duration
  /// The parts of an answer that are waited for one by one.
  package var writePartBytes: Int
  /// How long what nobody reads is passed over once the answer is sent.
  package var lingerMax: Duration

  package init(
    connectionsMax: Int = 1024, headTimeMax: Duration = .seconds(10),
    idleTimeMax: Duration = .seconds(20), writeTimeMax: Duration = .seconds(20),
    writePartBytes: Int = 32 << 10, lingerMax: Duration = .seconds(2)
  ) {
    self.connectionsMax = connectionsMax
    self.headTimeMax = headTimeMax
    self.idleTimeMax = idleTimeMax
    self.writeTimeMax = writeTimeMax
    self.writePartBytes = writePartBytes
    self.lingerMax = lingerMax
  }
}
