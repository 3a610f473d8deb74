import Foundation
import Testing

/// Everything that fuzzing has kept, through the same entry points. A run that goes further is `run` beside this.
@Suite struct CorpusTests {
  private static let corpus = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "Corpus")

  @Test(arguments: FuzzTarget.allCases)
  func `every input that was kept ends in a value or an error`(target: FuzzTarget) throws {
    let place = Self.corpus.appending(path: target.rawValue).path
    let names = try FileManager.default.contentsOfDirectory(atPath: place)
    #expect(names.count > 10)
    for name in names {
      target.run(Array(try Data(contentsOf: URL(filePath: "\(place)/\(name)"))))
    }
    for seed in target.seeds { target.run(seed) }
  }
}
