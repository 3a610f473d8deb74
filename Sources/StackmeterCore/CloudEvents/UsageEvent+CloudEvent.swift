/// Why a CloudEvent is not a usage event: every problem at once, each with the path of its field.
package struct CloudEventError: Error, Equatable {
  package let problems: [Problem]

  package struct Problem: Hashable, Sendable {
    package let field: String
    package let message: String

    package init(field: String, message: String) {
      self.field = field
      self.message = message
    }
  }
}

extension UsageEvent {
  /// The `type` of a CloudEvent that carries usage.
  package static let cloudEventType = "\(cloudEventTypeBytes)"
  static let cloudEventTypeBytes: StaticString = "stackmeter.usage.v1"

  /// Reads one CloudEvent 1.0 in its JSON format.
  ///
  /// ```json
  /// {"specversion": "1.0", "type": "stackmeter.usage.v1", "id": "vm1-2026-11-23T15", "source": "my-cloud",
  ///  "subject": "6f1c0a8e-0000-4000-8000-000000000001", "time": "2026-11-23T16:00:00Z",
  ///  "data": {"meter": "…", "quantity": "1.25", "resourceUri": "/subscriptions/…", "location": "local",
  ///           "tags": {"env": "prod"}, "additionalInfo": {"…": "…"},
  ///           "startTime": "2026-11-23T15:00:00Z", "endTime": "2026-11-23T16:00:00Z"}}
  /// ```
  /// `subject` is the subscription, with or without `/subscriptions/` before it. `quantity` is a number or a
  /// string that holds one. Without `startTime` and `endTime` the event has no duration and happened at `time`.
  /// `data_base64` in place of `data` holds the same as base64.
  ///
  /// A correction names in `data` the id of an event of the same source and usage hour: `"replaces": "…"` or
  /// `"voids": "…"`. A void has no quantity, and its subject, meter and resource are passed over.
  package init(cloudEvent value: JSONValue) throws(CloudEventError) {
    guard let event = JSONObject(value, path: "") else {
      throw CloudEventError(problems: [.init(field: "", message: "must be a JSON object")])
    }
    var reader = CloudEventReader()
    let dataObject = reader.data(event)
    let data = dataObject ?? JSONObject(.object([]), path: "data")!
    let isVoid = reader.isVoid(data)
    reader.expect(event, "specversion", "1.0")
    reader.expect(event, "type", UsageEvent.cloudEventType)
    let id = reader.text(event, "id", maxBytes: EventLimits.idBytesMax)
    let source = reader.text(event, "source", maxBytes: EventLimits.sourceBytesMax)
    let subscription = isVoid ? "" : reader.subscription(event, "subject")
    let time = reader.instant(event, "time")
    let correction = reader.correction(data)
    let meter = isVoid ? "" : reader.text(data, "meter", maxBytes: EventLimits.meterBytesMax)
    let quantity = isVoid ? reader.voidQuantity(data) : reader.quantity(data, "quantity")
    let resource = isVoid ? Resource(uri: "") : reader.resource(data)
    let start = reader.instant(data, "startTime") ?? time
    let end = reader.instant(data, "endTime") ?? start
    if reader.isAbsent(event, "time") && reader.isAbsent(data, "startTime") {
      reader.add("data.startTime", "is needed where the event has no time")
    }
    guard reader.problems.isEmpty, let quantity, let start, let end else {
      throw CloudEventError(problems: reader.problems)
    }
    self.init(
      id: id, source: source,
      series: Series(subscription: subscription, meter: meter, resource: resource),
      usageStart: start, usageEnd: end, quantity: quantity, correction: correction)
  }
}

/// Reads members and gathers what is wrong with them.
private struct CloudEventReader {
  var problems: [CloudEventError.Problem] = []

  mutating func add(_ field: String, _ message: String) {
    problems.append(.init(field: field, message: message))
  }

  func path(_ object: JSONObject, _ name: String) -> String {
    object.path.isEmpty ? name : "\(object.path).\(name)"
  }

  mutating func expect(_ object: JSONObject, _ name: String, _ expected: String) {
    guard object[name]?.string != expected else { return }
    add(path(object, name), "must be \"\(expected)\"")
  }

  mutating func text(_ object: JSONObject, _ name: String, maxBytes: Int) -> String {
    guard let text = object[name]?.string, !text.isEmpty, text.utf8.count <= maxBytes else {
      add(path(object, name), "must be a string of 1 to \(maxBytes) bytes")
      return ""
    }
    return text
  }

  /// The subscription's id, of which `/subscriptions/` before it is no part.
  mutating func subscription(_ object: JSONObject, _ name: String) -> String {
    let prefix = "/subscriptions/".utf8
    var text = Substring(object[name]?.string ?? "")
    if text.utf8.count >= prefix.count,
      String(text.utf8.prefix(prefix.count))?.asciiLowercased.utf8.elementsEqual(prefix) == true
    {
      text = Substring(text.utf8.dropFirst(prefix.count))
    }
    guard !text.isEmpty, text.utf8.count <= EventLimits.subscriptionBytesMax else {
      add(
        path(object, name),
        "must be a subscription's id of 1 to \(EventLimits.subscriptionBytesMax) bytes")
      return ""
    }
    return String(text)
  }

  func isAbsent(_ object: JSONObject, _ name: String) -> Bool {
    switch object[name] {
    case nil, .null: true
    default: false
    }
  }

  mutating func optionalText(_ object: JSONObject, _ name: String, maxBytes: Int) -> String {
    switch object[name] {
    case nil, .null: return ""
    case .string(let text) where text.utf8.count <= maxBytes: return text
    default:
      add(path(object, name), "must be a string of at most \(maxBytes) bytes")
      return ""
    }
  }

  mutating func instant(_ object: JSONObject, _ name: String) -> Instant? {
    switch object[name] {
    case nil, .null: return nil
    case .string(let text):
      if let instant = Instant(parsing: text) { return instant }
    default: break
    }
    add(
      path(object, name),
      "must be an RFC 3339 time with an offset, such as 2026-11-23T15:00:00Z")
    return nil
  }

  mutating func quantity(_ object: JSONObject, _ name: String) -> Quantity? {
    let token: String
    switch object[name] {
    case .number(let text), .string(let text): token = text
    default:
      add(path(object, name), "must be a number, or a string that holds one")
      return nil
    }
    do {
      return try Quantity(parsing: token)
    } catch {
      add(path(object, name), error.explanation)
      return nil
    }
  }

  /// What the event carries: `data`, or `data_base64` with the same as bytes, which is how libraries send bytes.
  mutating func data(_ event: JSONObject) -> JSONObject? {
    if isAbsent(event, "data_base64") {
      if let data = event["data"].flatMap({ JSONObject($0, path: "data") }) { return data }
      add("data", "must be a JSON object")
      return nil
    }
    guard isAbsent(event, "data") else {
      add("data_base64", "may not stand beside data")
      return nil
    }
    guard let bytes = event["data_base64"]?.string.flatMap(Base64.bytes),
      let value = try? JSONValue(parsing: bytes, limits: .event),
      let data = JSONObject(value, path: "data")
    else {
      add("data_base64", "must be the base64 of a JSON object")
      return nil
    }
    return data
  }

  func isVoid(_ data: JSONObject) -> Bool {
    isAbsent(data, Correction.Kind.replaces.field) && !isAbsent(data, Correction.Kind.voids.field)
  }

  /// What the event corrects, if it does.
  mutating func correction(_ data: JSONObject) -> Correction? {
    let fields = [Correction.Kind.replaces, .voids].filter { !isAbsent(data, $0.field) }
    guard let kind = fields.first else { return nil }
    if fields.count > 1 {
      add(path(data, Correction.Kind.voids.field), "may not stand beside replaces")
    }
    return Correction(kind, text(data, kind.field, maxBytes: EventLimits.idBytesMax))
  }

  /// A void has no quantity, or 0.
  mutating func voidQuantity(_ data: JSONObject) -> Quantity? {
    guard !isAbsent(data, "quantity") else { return .zero }
    let quantity = quantity(data, "quantity")
    if let quantity, quantity != .zero {
      add(
        path(data, "quantity"),
        "must be absent or 0 beside voids; to count something else, use replaces")
    }
    return quantity
  }

  mutating func resource(_ data: JSONObject) -> Resource {
    var resource = Resource(
      uri: text(data, "resourceUri", maxBytes: EventLimits.resourceURIBytesMax),
      location: optionalText(data, "location", maxBytes: EventLimits.locationBytesMax))
    switch data["tags"] {
    case nil, .null: break
    case .object(let members):
      var tags: [(name: String, value: String)] = []
      for member in members {
        guard let value = member.value.string else {
          add("data.tags.\(member.name)", "must be a string")
          continue
        }
        tags.append((member.name, value))
      }
      resource.tags = Resource.canonicalTags(tags)
      if tags.count > EventLimits.tagsMax || resource.tags.utf8.count > EventLimits.tagsBytesMax {
        add(
          "data.tags",
          "has more than \(EventLimits.tagsMax) tags or \(EventLimits.tagsBytesMax) bytes")
      }
    default: add("data.tags", "must be an object of strings")
    }
    switch data["additionalInfo"] {
    case nil, .null: break
    case .string(let text): resource.additionalInfo = text
    case .some(let value):
      var writer = JSONWriter()
      writer.value(value)
      resource.additionalInfo = String(decoding: writer.bytes, as: UTF8.self)
    }
    if resource.additionalInfo.utf8.count > EventLimits.additionalInfoBytesMax {
      add(
        "data.additionalInfo", "has more than \(EventLimits.additionalInfoBytesMax) bytes")
    }
    return resource
  }
}
