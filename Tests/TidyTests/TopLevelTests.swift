import Foundation
import Testing

@Suite struct TopLevelTests {
  @Test func `the top level is fixed`() throws {
    let expected: Set<String> = [
      "Package.swift", "Sources", "Tests", "proto", "deploy", "README.md", "LICENSE",
    ]
    let found = try topLevel()
    for name in found.subtracting(expected).sorted() {
      Issue.record("\(name): does not belong to the top level")
    }
    for name in expected.subtracting(found).sorted() {
      Issue.record("\(name): is missing from the top level")
    }
  }

  /// What git knows of in a checkout, else what is there, without dot-files.
  private func topLevel() throws -> Set<String> {
    let names: [String]
    if FileManager.default.fileExists(atPath: SourceTree.root + "/.git") {
      let (code, output) = try SourceTree.run([
        "git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard",
      ])
      try #require(code == 0, "git ls-files: \(output)")
      names = output.split(separator: "\n").compactMap { path in
        path.split(separator: "/").first.map(String.init)
      }
    } else {
      names = try FileManager.default.contentsOfDirectory(atPath: SourceTree.root)
        .filter { $0 != "Package.resolved" }
    }
    return Set(names.filter { !$0.hasPrefix(".") })
  }
}
