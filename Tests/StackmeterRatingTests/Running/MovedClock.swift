import Glibc
import StackmeterCore
import StackmeterRuntime
import StackmeterTesting

/// `clock.c`, compiled into a test's directory: the environment that gives a program another time of day, so that
/// months pass in a test.
struct MovedClock {
  private let library: String

  /// Needs a C compiler, `clang` or `cc`.
  init(in place: String) async throws {
    library = "\(place)/clock.so"
    let source = #filePath.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" }
    var output = ""
    for compiler in ["clang", "cc"] {
      let made = try await Cluster.run(
        "/usr/bin/env",
        [compiler, "-O1", "-shared", "-fPIC", "-o", library, "\(source)/clock.c"],
        environment: processEnvironment(), outputPath: "\(place)/clock.log")
      if made.status == .exited(0) { return }
      output += made.output
    }
    throw ClusterError("clock.c needs clang or cc: \(output)")
  }

  /// For a program that starts now and is to believe that it is `time`.
  func environment(at time: Instant) -> [String: String] {
    let ahead =
      (time.nanoseconds - SystemClock().now().nanoseconds) / Instant.nanosecondsPerSecond
    return ["LD_PRELOAD": library, "CLOCK_AHEAD": "\(ahead)"]
  }
}
