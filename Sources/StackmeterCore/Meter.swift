/// What is measured: the definition that gives an event's quantity its meaning.
package struct Meter: Hashable, Sendable {
  /// Unique in the catalog without regard to ASCII case, as Azure's clients compare it.
  package let id: String
  package let name: String
  /// What a quantity of 1 stands for: `GB*hours`, `Core-Seconds`.
  package let unit: String
  /// Groups meters for people: `Compute`, `Storage`.
  package let category: String
  /// Who reports this meter: `Microsoft.Compute`, `stackmeter-agent`.
  package let resourceProvider: String
  package let aggregation: Aggregation
  /// Whether the bridge forwards it and a rate may price it.
  package let isBillable: Bool

  package init(
    id: String, name: String, unit: String, category: String, resourceProvider: String,
    aggregation: Aggregation, isBillable: Bool
  ) {
    self.id = id
    self.name = name
    self.unit = unit
    self.category = category
    self.resourceProvider = resourceProvider
    self.aggregation = aggregation
    self.isBillable = isBillable
  }
}

/// How the events of one series and usage hour become one quantity.
///
/// The level of a usage hour is what its events amount to, and 0 without any. Events that a correction has taken back
/// are none of them. An event that spans several hours is split between them by a sum, and belongs whole to each of
/// them by the other kinds.
package enum Aggregation: String, Sendable, CaseIterable {
  /// The exact total.
  case sum
  /// The greatest quantity.
  case max
  /// The quantity of the event with the latest usage end; of those, with the latest usage start; of those, the one
  /// that the journal has last.
  case latest
  /// How many different quantities there are. A quantity is a number that stands for what is counted: a user's
  /// number, or a hash of at most 60 bits.
  case uniqueCount = "unique_count"
}

/// All meters that are known. Lookup ignores ASCII case and gives the catalog's own spelling.
package struct MeterCatalog: Sendable {
  package let meters: [Meter]
  private let indexByFoldedID: [ExactText: Int]

  /// Throws where two meters share an id.
  package init(_ meters: [Meter]) throws(MeterCatalogError) {
    let problems = MeterCatalog.repeatedIDs(meters.map(\.id))
    guard problems.isEmpty else { throw MeterCatalogError(problems: problems) }
    self.meters = meters
    indexByFoldedID = Dictionary(
      uniqueKeysWithValues: meters.enumerated().map { index, meter in
        (ExactText(meter.id.asciiLowercased), index)
      })
  }

  /// No meter is known.
  package static let empty = MeterCatalog()

  private init() {
    (meters, indexByFoldedID) = ([], [:])
  }

  package subscript(id: String) -> Meter? {
    indexByFoldedID[ExactText(id.asciiLowercased)].map { meters[$0] }
  }

  /// A problem for each id that an earlier meter has already. Nil stands for a meter without a valid id.
  private static func repeatedIDs(_ ids: [String?]) -> [String] {
    var firstIndex: [ExactText: Int] = [:]
    var problems: [String] = []
    for (index, id) in ids.enumerated() {
      guard let id else { continue }
      let folded = ExactText(id.asciiLowercased)
      if let first = firstIndex[folded] {
        problems.append("meters[\(index)].id: \"\(id)\" is the id of meters[\(first)] too")
      } else {
        firstIndex[folded] = index
      }
    }
    return problems
  }
}

/// Every problem of a catalog at once, each with the path of its field.
package struct MeterCatalogError: Error, Equatable, CustomStringConvertible {
  package let problems: [String]

  package init(problems: [String]) {
    self.problems = problems
  }

  package var description: String { problems.joined(separator: "; ") }
}

extension MeterCatalog {
  /// Reads the catalog file, `{"meters": [{"id": …, "name": …, "unit": …, "category": …,
  /// "resourceProvider": …, "aggregation": "sum", "billable": true}, …]}`. Unknown members are refused.
  package init(json bytes: [UInt8]) throws(MeterCatalogError) {
    let root: JSONValue
    do {
      root = try JSONValue(parsing: bytes, limits: .configuration)
    } catch {
      throw MeterCatalogError(problems: [error.description])
    }
    guard let file = JSONObject(root, path: "") else {
      throw MeterCatalogError(problems: ["must be an object with the member meters"])
    }
    var problems = file.unknownMembers(known: ["meters"])
    var meters: [Meter] = []
    var ids: [String?] = []
    if let list = file["meters"]?.array {
      for (index, element) in list.enumerated() {
        var reader = MeterReader(path: "meters[\(index)]")
        let meter = reader.meter(element)
        ids.append(meter?.id)
        if let meter { meters.append(meter) }
        problems += reader.problems
      }
    } else {
      problems.append("meters: must be an array of meters")
    }
    problems += MeterCatalog.repeatedIDs(ids)
    guard problems.isEmpty else { throw MeterCatalogError(problems: problems) }
    try self.init(meters)
  }
}

/// Reads one meter of the catalog file and gathers what is wrong with it.
private struct MeterReader {
  let path: String
  var problems: [String] = []

  init(path: String) {
    self.path = path
  }

  /// The meter, as far as it can be read; nil without an id. Counts only where `problems` stays empty.
  mutating func meter(_ element: JSONValue) -> Meter? {
    guard let object = JSONObject(element, path: path) else {
      problems.append("\(path): must be an object")
      return nil
    }
    problems += object.unknownMembers(known: [
      "id", "name", "unit", "category", "resourceProvider", "aggregation", "billable",
    ])
    let meter = Meter(
      id: text(object, "id", maxBytes: EventLimits.meterBytesMax), name: text(object, "name"),
      unit: text(object, "unit"), category: text(object, "category"),
      resourceProvider: text(object, "resourceProvider"), aggregation: aggregation(object),
      isBillable: bool(object, "billable"))
    return meter.id.isEmpty ? nil : meter
  }

  private mutating func text(_ object: JSONObject, _ name: String, maxBytes: Int = 256) -> String {
    guard let value = object[name]?.string, !value.isEmpty, value.utf8.count <= maxBytes else {
      problems.append("\(path).\(name): must be a text of 1 to \(maxBytes) bytes")
      return ""
    }
    return value
  }

  private mutating func aggregation(_ object: JSONObject) -> Aggregation {
    if let known = object["aggregation"]?.string.flatMap(Aggregation.init(rawValue:)) {
      return known
    }
    let known = Aggregation.allCases.map(\.rawValue).joined(separator: ", ")
    problems.append("\(path).aggregation: must be one of \(known)")
    return .sum
  }

  private mutating func bool(_ object: JSONObject, _ name: String) -> Bool {
    if case .bool(let value)? = object[name] { return value }
    problems.append("\(path).\(name): must be true or false")
    return false
  }
}

extension String {
  /// A–Z become a–z; all else stays. Names are compared by this, never by locale.
  package var asciiLowercased: String {
    func isUpper(_ byte: UInt8) -> Bool { byte &- 0x41 < 26 }
    var text = self
    return text.withUTF8 { bytes in
      guard bytes.contains(where: isUpper) else { return self }
      return String(unsafeUninitializedCapacity: bytes.count) { lowered in
        for index in bytes.indices {
          lowered[index] = bytes[index] | (isUpper(bytes[index]) ? 0x20 : 0)
        }
        return bytes.count
      }
    }
  }
}

extension JSONWriter {
  /// A meter, with the members of the catalog file.
  package mutating func meter(_ meter: Meter) {
    object { writer in
      writer.member("id", string: meter.id)
      writer.member("name", string: meter.name)
      writer.member("unit", string: meter.unit)
      writer.member("category", string: meter.category)
      writer.member("resourceProvider", string: meter.resourceProvider)
      writer.member("aggregation", string: meter.aggregation.rawValue)
      writer.member("billable", meter.isBillable)
    }
  }
}
