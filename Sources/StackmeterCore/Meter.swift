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
package enum Aggregation: String, Sendable, CaseIterable {
  /// The exact total.
  case sum
}

/// All meters that are known. Lookup ignores ASCII case and gives the catalog's own spelling.
package struct MeterCatalog: Sendable {
  package let meters: [Meter]
  private let indexByFoldedID: [String: Int]

  /// Throws where two meters share an id.
  package init(_ meters: [Meter]) throws(MeterCatalogError) {
    var indexByFoldedID: [String: Int] = [:]
    var problems: [String] = []
    for (index, meter) in meters.enumerated() {
      if let first = indexByFoldedID.updateValue(index, forKey: meter.id.asciiLowercased) {
        problems.append("meters[\(index)].id: \"\(meter.id)\" is the id of meters[\(first)] too")
      }
    }
    guard problems.isEmpty else { throw MeterCatalogError(problems: problems) }
    self.meters = meters
    self.indexByFoldedID = indexByFoldedID
  }

  package subscript(id: String) -> Meter? {
    indexByFoldedID[id.asciiLowercased].map { meters[$0] }
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
    guard let file = JSONObject(root, path: ""), let list = file["meters"]?.array else {
      throw MeterCatalogError(problems: ["meters: must be an array of meters"])
    }
    var problems = file.unknownMembers(known: ["meters"])
    var meters: [Meter] = []
    for (index, element) in list.enumerated() {
      let path = "meters[\(index)]"
      guard let object = JSONObject(element, path: path) else {
        problems.append("\(path): must be an object")
        continue
      }
      problems += object.unknownMembers(known: [
        "id", "name", "unit", "category", "resourceProvider", "aggregation", "billable",
      ])
      func text(_ name: String, maxBytes: Int = 256) -> String {
        guard let value = object[name]?.string, !value.isEmpty, value.utf8.count <= maxBytes else {
          problems.append("\(path).\(name): must be a text of 1 to \(maxBytes) bytes")
          return ""
        }
        return value
      }
      let aggregation = Aggregation(rawValue: object["aggregation"]?.string ?? "")
      if aggregation == nil {
        let known = Aggregation.allCases.map(\.rawValue).joined(separator: ", ")
        problems.append("\(path).aggregation: must be one of \(known)")
      }
      guard case .bool(let isBillable)? = object["billable"] else {
        problems.append("\(path).billable: must be true or false")
        continue
      }
      meters.append(
        Meter(
          id: text("id", maxBytes: EventLimits.meterBytesMax), name: text("name"),
          unit: text("unit"), category: text("category"),
          resourceProvider: text("resourceProvider"), aggregation: aggregation ?? .sum,
          isBillable: isBillable))
    }
    guard problems.isEmpty else { throw MeterCatalogError(problems: problems) }
    try self.init(meters)
  }
}

extension String {
  /// A–Z become a–z; all else stays. Names are compared by this, never by locale.
  package var asciiLowercased: String {
    guard utf8.contains(where: { $0 >= 0x41 && $0 <= 0x5A }) else { return self }
    return String(
      decoding: utf8.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 }, as: UTF8.self)
  }
}
