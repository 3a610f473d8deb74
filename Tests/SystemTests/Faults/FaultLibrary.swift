import Glibc
import StackmeterRuntime
import StackmeterTesting

/// The system calls that change files, as `faults.c` counts them. In the order of its enumeration.
enum FaultKind: Int, CaseIterable, Sendable {
  case write, sync, rename, truncate, allocate, remove, create
}

/// What happens to one system call, and in its place for good where that is lasting.
enum Fault: Hashable, Sendable, CustomStringConvertible {
  case killBefore
  case killAfter
  /// Half of a write, then the end.
  case killTorn
  /// Half of a write, which is no error.
  case short
  case fails(Int32, isLasting: Bool)

  var environment: [String: String] {
    switch self {
    case .killBefore: ["FAULT_ACTION": "before"]
    case .killAfter: ["FAULT_ACTION": "after"]
    case .killTorn: ["FAULT_ACTION": "torn"]
    case .short: ["FAULT_ACTION": "short"]
    case .fails(let number, let isLasting):
      ["FAULT_ACTION": "fail", "FAULT_ERRNO": "\(number)"].merging(
        isLasting ? ["FAULT_LASTING": "1"] : [:]
      ) { $1 }
    }
  }

  /// The calls that it can happen to.
  var kinds: Set<FaultKind> {
    switch self {
    case .short: [.write]
    // Nothing runs out of space when it gives some back.
    case .fails(ENOSPC, _), .fails(EDQUOT, _): Set(FaultKind.allCases).subtracting([.remove])
    default: Set(FaultKind.allCases)
    }
  }

  var description: String {
    switch self {
    case .killBefore: "killed before"
    case .killAfter: "killed after"
    case .killTorn: "killed in the middle of"
    case .short: "half done"
    case .fails(let number, let isLasting):
      "\(isLasting ? "from then on " : "")\(String(cString: strerror(number)))"
    }
  }
}

/// `faults.c`, compiled into a test's directory: the environment that loads it into a program, and its counts.
struct FaultLibrary: Sendable {
  private let library: String
  private let counts: String
  private let watched: String

  /// Watches the files below `directory`. Needs a C compiler, `clang` or `cc`.
  init(in place: String, watching directory: String) async throws {
    library = "\(place)/faults.so"
    counts = "\(place)/fault-counts"
    watched = directory
    try reset()
    guard access(library, R_OK) != 0 else { return }
    var output = ""
    for compiler in ["clang", "cc"] {
      let made = try await Cluster.run(
        "/usr/bin/env",
        [
          compiler, "-O1", "-shared", "-fPIC", "-o", library,
          "\(Cluster.root)/Tests/SystemTests/Faults/faults.c",
        ], environment: processEnvironment(), outputPath: "\(place)/faults.log")
      if made.status == .exited(0) { return }
      output += made.output
    }
    throw ClusterError("faults.c needs clang or cc: \(output)")
  }

  private init(library: String, counts: String, watched: String) {
    (self.library, self.counts, self.watched) = (library, counts, watched)
  }

  /// The same library for another directory, with counts of its own.
  func watching(_ directory: String, in place: String) throws -> FaultLibrary {
    let other = FaultLibrary(
      library: library, counts: "\(place)/fault-counts", watched: directory)
    try other.reset()
    return other
  }

  /// Counts from zero again.
  func reset() throws {
    try [UInt8](repeating: 0, count: (FaultKind.allCases.count + 2) * 8).write(to: counts)
  }

  /// Without a fault nothing but counting happens. `point` is the number of the call, from 1.
  func environment(
    _ fault: Fault? = nil, at point: Int = 0, kinds: Set<FaultKind>? = nil
  ) -> [String: String] {
    let mask = (kinds ?? fault?.kinds ?? Set(FaultKind.allCases)).reduce(0) {
      $0 | 1 << $1.rawValue
    }
    var environment = [
      "LD_PRELOAD": library, "FAULT_DIRECTORY": watched, "FAULT_COUNTS": counts,
      "FAULT_KINDS": "\(mask)",
    ]
    if let fault {
      environment["FAULT_AT"] = "\(point)"
      environment.merge(fault.environment) { $1 }
    }
    return environment
  }

  private func number(_ index: Int) throws -> Int {
    try fileContent(counts)[(index * 8)..<(index * 8 + 8)].reversed().reduce(0) {
      $0 << 8 | Int($1)
    }
  }

  func count(_ kind: FaultKind) throws -> Int { try number(kind.rawValue) }
  /// The calls of the kinds that the fault is for.
  var counted: Int { get throws { try number(FaultKind.allCases.count) } }
  /// How many faults have happened.
  var struck: Int { get throws { try number(FaultKind.allCases.count + 1) } }
}
