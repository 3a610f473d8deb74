internal import StackmeterCore
internal import StackmeterRuntime

/// The file of the directory of subscriptions, which is read again when it has changed.
package struct DirectoryFile: Sendable {
  package static let checkInterval: Duration = .seconds(60)

  /// What a look at the file has found.
  enum News {
    case unchanged
    case directory(SubscriptionDirectory)
    /// It cannot be used: every problem. The last good directory stays in force.
    case problems([String])
  }

  private let path: String
  private let interval: Duration
  private var version: FileVersion?
  private var wasRead = false

  package init(path: String, checkInterval: Duration = DirectoryFile.checkInterval) {
    self.path = path
    interval = checkInterval
  }

  /// Looks at the file. Where there never was one, nothing is wrong: all subscriptions are unassigned then, or what
  /// they were.
  mutating func look() -> News {
    let found = FileVersion(path)
    guard found != version else { return .unchanged }
    version = found
    guard found != nil || wasRead else { return .unchanged }
    do {
      let content = try fileContent(path, bytesMax: SubscriptionLimits.fileBytesMax)
      let directory = try SubscriptionDirectory(json: content)
      wasRead = true
      return .directory(directory)
    } catch let error as SubscriptionDirectoryError {
      return .problems(error.problems.map { "\(path): \($0)" })
    } catch {
      return .problems(["\(error)"])
    }
  }

  /// Keeps the aggregator's directory like the file, until cancelled.
  package func run(_ aggregator: Aggregator) async throws(CancellationError) {
    var file = self
    while true {
      await aggregator.take(file.look())
      do { try await Task.sleep(for: interval) } catch { throw CancellationError() }
    }
  }
}
