import Foundation
import StackmeterTesting
import Testing

@Suite struct TemporaryDirectoryTests {
  @Test func `the directory is short, empty and gone afterwards with all that is in it`()
    async throws
  {
    let path = try await withTemporaryDirectory { path in
      #expect(path.utf8.count < 20)
      #expect(try FileManager.default.contentsOfDirectory(atPath: path).isEmpty)
      try FileManager.default.createDirectory(
        atPath: path + "/a/b", withIntermediateDirectories: true)
      try Data("x".utf8).write(to: URL(filePath: path + "/a/b/c"))
      return path
    }
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  @Test func `the directory is gone after a failure too`() async throws {
    struct Failure: Error {}
    var path = ""
    await #expect(throws: Failure.self) {
      try await withTemporaryDirectory {
        path = $0
        throw Failure()
      }
    }
    #expect(!path.isEmpty && !FileManager.default.fileExists(atPath: path))
  }

  @Test func `two directories at once are different`() throws {
    let first = try TemporaryDirectory()
    let second = try TemporaryDirectory()
    #expect(first.path != second.path)
  }
}
