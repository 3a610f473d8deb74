internal import HTTPTypes
internal import Synchronization

/// How many requests of one kind are worked on at once. The next is refused at once: nothing was done for it.
final class RequestSlots: Sendable {
  private let max: Int
  private let kind: String
  private let inProgress = Atomic<Int>(0)

  init(max: Int, of kind: String) {
    self.max = max
    self.kind = kind
  }

  func using<Result>(_ body: () async throws -> Result) async throws -> Result {
    defer { inProgress.subtract(1, ordering: .relaxed) }
    guard inProgress.add(1, ordering: .relaxed).newValue <= max else {
      throw HTTPProblem(
        .tooManyRequests, "TooManyRequests",
        "\(max) \(kind) are worked on already; retry after a pause"
      ).retry(afterSeconds: 1)
    }
    return try await body()
  }
}
