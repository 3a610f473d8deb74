package import StackmeterCommerce
package import StackmeterCore
internal import StackmeterRuntime

/// With which commerce service this installation is registered, and how usage is reported to it.
package struct BridgeRegistration: Hashable, Sendable {
  /// The name that the commerce service knows this installation by.
  package var site: String
  package var model: CommerceModel
  /// Where batches are sent; empty for `disconnected`.
  package var endpoint: String
  /// The secret that the commerce service has given out.
  package var key: String
  /// Nil for never.
  package var expires: Instant?
  /// The first reporting window that is reported; nil for the one that is open when it is first registered.
  package var from: Hour?
  /// The authorities that may sign the service's certificate, as a PEM file; empty for the host's.
  package var trustRoots: String
  /// The commerce service's meter for a local one, by its id in lower case. Others keep their own.
  package var meters: [String: String]
  /// Who pays for a subscription, by its id in lower case.
  package var customers: [String: String]
  /// Who pays for all others; may be empty.
  package var defaultCustomer: String
  /// Where `disconnected` writes its files.
  package var directory: String
  /// Nothing is sent until it is resumed.
  package var isPaused: Bool

  /// Whether the model sends anything by itself.
  package var forwards: Bool {
    switch model {
    case .payAsYouUse, .development: true
    case .capacity, .disconnected: false
    }
  }

  package func isExpired(at now: Instant) -> Bool { expires.map { $0 <= now } ?? false }
}

/// Every problem of a registration at once, each with its member's name.
package struct BridgeRegistrationError: Error, Equatable, CustomStringConvertible {
  package let problems: [String]

  package var description: String { problems.joined(separator: "; ") }
}

extension BridgeRegistration {
  private static let members: Set<String> = [
    "site", "model", "endpoint", "key", "expires", "from", "trustRoots", "meters", "customers",
    "defaultCustomer", "directory", "paused",
  ]
  /// A text of the document.
  static let textBytesMax = 1024

  /// Reads the document, and says all that is wrong with it.
  package init(json document: [UInt8]) throws(BridgeRegistrationError) {
    guard document.count <= BridgeLimits.documentBytesMax else {
      throw BridgeRegistrationError(problems: [
        "it has more than \(BridgeLimits.documentBytesMax) bytes"
      ])
    }
    let root: JSONValue
    do throws(JSONError) {
      root = try JSONValue(parsing: document, limits: .configuration)
    } catch {
      throw BridgeRegistrationError(problems: [error.description])
    }
    guard let object = JSONObject(root, path: "") else {
      throw BridgeRegistrationError(problems: ["must be a JSON object"])
    }
    var reader = RegistrationReader(object)
    site = reader.text("site", isNeeded: true)
    model = reader.model()
    endpoint = reader.text("endpoint", isNeeded: model != .disconnected && model != .capacity)
    if !endpoint.isEmpty, let problem = RemoteAddress.problem(of: endpoint) {
      reader.problems.append("endpoint: \(problem)")
    }
    key = reader.text("key", isNeeded: model != .capacity)
    expires = reader.time("expires")
    let first = reader.time("from")
    from = first?.hour
    if let first, first.hour.start != first {
      reader.problems.append("from: must begin an hour of UTC")
    }
    trustRoots = reader.text("trustRoots")
    meters = reader.mapping("meters")
    customers = reader.mapping("customers")
    defaultCustomer = reader.text("defaultCustomer")
    directory = reader.text("directory", isNeeded: model == .disconnected)
    isPaused = reader.flag("paused")
    let problems = object.unknownMembers(known: BridgeRegistration.members) + reader.problems
    guard problems.isEmpty else { throw BridgeRegistrationError(problems: problems) }
  }

  /// The document, with the members that say something.
  package func json() -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("site", string: site)
      writer.member("model", string: model.rawValue)
      for (name, value) in [
        ("endpoint", endpoint), ("key", key), ("expires", expires?.description ?? ""),
        ("from", from?.description ?? ""), ("trustRoots", trustRoots),
        ("defaultCustomer", defaultCustomer), ("directory", directory),
      ] where !value.isEmpty { writer.member(name, string: value) }
      for (name, map) in [("meters", meters), ("customers", customers)] where !map.isEmpty {
        writer.member(
          name,
          object: { writer in
            for (local, remote) in map.sorted(by: { $0.key < $1.key }) {
              writer.member(local, string: remote)
            }
          })
      }
      if isPaused { writer.member("paused", true) }
    }
    return writer.bytes
  }
}

/// Reads the members of a document and gathers what is wrong.
private struct RegistrationReader {
  let object: JSONObject
  var problems: [String] = []

  init(_ object: JSONObject) {
    self.object = object
  }

  mutating func text(_ name: String, isNeeded: Bool = false) -> String {
    guard let value = object[name] else {
      if isNeeded { problems.append("\(name): is missing") }
      return ""
    }
    guard let text = value.string,
      (1...BridgeRegistration.textBytesMax).contains(text.utf8.count),
      !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F })
    else {
      problems.append(
        "\(name): must be a text of 1 to \(BridgeRegistration.textBytesMax) bytes without "
          + "control characters")
      return ""
    }
    return text
  }

  mutating func model() -> CommerceModel {
    if let model = object["model"]?.string.flatMap(CommerceModel.init(rawValue:)) { return model }
    let known = CommerceModel.allCases.map(\.rawValue).joined(separator: ", ")
    problems.append("model: must be one of \(known)")
    return .capacity
  }

  mutating func time(_ name: String) -> Instant? {
    guard let value = object[name] else { return nil }
    guard let time = value.string.flatMap({ Instant(parsing: $0) }) else {
      problems.append("\(name): must be a time with an offset, as in RFC 3339")
      return nil
    }
    return time
  }

  mutating func flag(_ name: String) -> Bool {
    switch object[name] {
    case nil: return false
    case .bool(let value)?: return value
    default:
      problems.append("\(name): must be true or false")
      return false
    }
  }

  /// An object of texts; the names count without case.
  mutating func mapping(_ name: String) -> [String: String] {
    guard let value = object[name] else { return [:] }
    guard case .object(let members) = value else {
      problems.append("\(name): must be an object of texts")
      return [:]
    }
    var map: [String: String] = [:]
    for member in members {
      guard let text = member.value.string,
        (1...EventLimits.subscriptionBytesMax).contains(text.utf8.count)
      else {
        problems.append(
          "\(name).\(member.name): must be a text of 1 to "
            + "\(EventLimits.subscriptionBytesMax) bytes")
        continue
      }
      if map.updateValue(text, forKey: member.name.asciiLowercased) != nil {
        problems.append("\(name).\(member.name): stands twice, as case makes no difference")
      }
    }
    return map
  }
}
