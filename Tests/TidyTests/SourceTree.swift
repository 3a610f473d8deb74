import Foundation

/// The tree that these tests were built from.
enum SourceTree {
  /// The directory of Package.swift.
  static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path

  /// The paths of all files below `directory`, from the root, sorted. Hidden ones are left out.
  static func files(below directory: String, suffix: String = "") throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: "\(root)/\(directory)")
      .filter { path in
        path.hasSuffix(suffix) && !path.split(separator: "/").contains { $0.hasPrefix(".") }
      }
      .map { "\(directory)/\($0)" }
      .filter { path in
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: "\(root)/\(path)", isDirectory: &isDirectory)
          && !isDirectory.boolValue
      }
      .sorted()
  }

  /// The lines of a file, without their ends.
  static func lines(_ path: String) throws -> [String] {
    try String(contentsOfFile: "\(root)/\(path)", encoding: .utf8)
      .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }

  /// The module that a file below Sources belongs to: `Sources/<Name>/…`,
  /// `Sources/Services/<Name>/<Half>/…` or `Sources/Programs/<name>/…`.
  static func module(of path: String) -> String {
    let parts = path.split(separator: "/").map(String.init)
    switch parts[1] {
    case "Services" where parts.count > 4: return parts[2] + parts[3]
    case "Programs" where parts.count > 3: return parts[2]
    default: return parts[1]
    }
  }

  /// Runs a program in the root and returns its exit code and what it wrote.
  static func run(_ command: [String]) throws -> (code: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = command
    process.currentDirectoryURL = URL(filePath: root)
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
  }
}
