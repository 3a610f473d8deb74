import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterStore

/// What an aggregate is explained by.
@Suite(.timeLimit(.minutes(2))) struct UsageBasisTests {
  /// Usage of hour 100 in the windows 100, 101 and 103, of which the last is open.
  private func fill(_ place: TestDatabase, cell: String = "local") throws {
    let store = try place.store(cell: cell)
    let (one, two) = (Sample.series("a"), Sample.series("a", uri: "/r2"))
    try store.commit(
      [
        (100, one, 100, Quantity(1)), (100, two, 100, Quantity(2)),
        (100, Sample.series("a", meter: "DISK"), 100, Quantity(64)),
        (100, Sample.series("b"), 100, Quantity(128)),
      ], next: 5, open: 101)
    try store.commit([(101, one, 100, Quantity(4))], next: 8, open: 103)
    try store.commit(
      [(103, one, 100, Quantity(8)), (103, one, 103, Quantity(16))], next: 11, open: 103)
  }

  private func told(
    _ place: TestDatabase, _ subscription: String = "a", _ meter: String = "CPU",
    resourceURI: String? = nil, hour: Int64 = 100
  ) throws(StoreError) -> [String]? {
    let basis = try place.reader().basis(
      subscription: subscription, meter: meter, resourceURI: resourceURI,
      usageHour: Hour(index: hour))
    return basis.map { basis in
      basis.windows.map {
        "\($0.window.index): \($0.attos / Quantity.attosPerUnit) of \($0.positions)"
          + ($0.isOpen ? ", open" : "")
      }
    }
  }

  @Test(arguments: Engine.allCases)
  func `an aggregate is explained by its windows and the journal's positions of each`(
    engine: Engine
  ) async throws {
    try await withDatabase(engine) { place in
      try fill(place)
      #expect(
        try told(place) == ["100: 3 of 1..<5", "101: 4 of 5..<8", "103: 8 of 8..<11, open"])
      #expect(try told(place, resourceURI: "/r2") == ["100: 2 of 1..<5"])
      #expect(try told(place, "a", "disk") == ["100: 64 of 1..<5"])
      #expect(try told(place, hour: 103) == ["103: 16 of 8..<11, open"])
      let basis = try place.reader().basis(
        subscription: "b", meter: "cpu", resourceURI: nil, usageHour: Hour(index: 100))
      #expect(basis?.aggregation == .sum && basis?.journalID == .max - 1)
    }
  }

  @Test(arguments: Engine.allCases)
  func `what is not there has no basis`(engine: Engine) async throws {
    try await withDatabase(engine) { place in
      try fill(place)
      #expect(try told(place, hour: 99) == nil)
      #expect(try told(place, hour: 101) == nil)
      #expect(try told(place, "c") == nil)
      #expect(try told(place, "a", "network") == nil)
      #expect(try told(place, "b", "disk") == nil)
      #expect(try told(place, resourceURI: "/R2") == nil)
      #expect(try told(place, "' OR true --") == nil)
    }
  }

  @Test(arguments: Engine.allCases)
  func `a basis that may lack a part is refused`(engine: Engine) async throws {
    try await withDatabase(engine) { place in
      try fill(place)
      try place.store().retain(from: Hour(index: 101))
      let error = #expect(throws: StoreError.self) { try told(place) }
      #expect(error?.kind == .removed)
      #expect(error?.message.contains("ask for what comes after") == true)
      #expect(try told(place, hour: 103) == ["103: 16 of 8..<11, open"])
    }
  }

  @Test(arguments: Engine.allCases)
  func `sums beyond what one quantity holds are told`(engine: Engine) async throws {
    try await withDatabase(engine) { place in
      let rows = (0..<3).map {
        (Int64(100), Sample.series("a", uri: "/\($0)"), Int64(100), Quantity.max)
      }
      try place.store().commit(rows, next: 4, open: 101)
      let basis = try place.reader().basis(
        subscription: "a", meter: "cpu", resourceURI: nil, usageHour: Hour(index: 100))
      #expect(basis?.windows.map(\.attos) == [Quantity.max.attos * 3])
    }
  }

  @Test(arguments: Engine.allCases)
  func `a sum that nobody can hold is an error`(engine: Engine) async throws {
    try await withDatabase(engine) { place in
      let rows = (0..<20).map {
        (Int64(100), Sample.series("a", uri: "/\($0)"), Int64(100), Quantity.max)
      }
      try place.store().commit(rows, next: 21, open: 101)
      let error = #expect(throws: StoreError.self) { try told(place) }
      #expect(error?.kind == .overflow)
    }
  }

  @Test func `of many cells, the own one is explained, whose journal it is`() async throws {
    try await withDatabase(.postgresql) { place in
      try fill(place)
      let other = try place.store(cell: "south")
      try other.commit([(100, Sample.series("a"), 100, Quantity(32))], next: 99, open: 102)
      #expect(
        try told(place) == ["100: 3 of 1..<5", "101: 4 of 5..<8", "103: 8 of 8..<11, open"])
    }
  }
}
