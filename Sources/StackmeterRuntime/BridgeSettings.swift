/// How the bridge waits. With which commerce service it speaks is in its registration.
package struct BridgeSettings: Hashable, Sendable {
  /// The first pause after a failure, and the longest.
  package var retryMillisecondsMin: Int
  package var retryMillisecondsMax: Int
  /// How long an answer may take.
  package var answerMillisecondsMax: Int
  /// How often it is looked whether a window has closed.
  package var pollMilliseconds: Int

  /// Notes what is wrong in `reader`.
  init(_ reader: inout SettingsReader) {
    retryMillisecondsMin = reader.integer(
      "bridge.retryMillisecondsMin", in: 1...3_600_000, default: 1000)
    retryMillisecondsMax = reader.integer(
      "bridge.retryMillisecondsMax", in: 1...86_400_000, default: 300_000)
    answerMillisecondsMax = reader.integer(
      "bridge.answerMillisecondsMax", in: 1...600_000, default: 30_000)
    pollMilliseconds = reader.integer("bridge.pollMilliseconds", in: 10...3_600_000, default: 5000)
    if retryMillisecondsMin > retryMillisecondsMax {
      reader.refuse(
        "bridge.retryMillisecondsMin", "must be at most bridge.retryMillisecondsMax")
    }
  }
}
