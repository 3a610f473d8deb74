internal import HTTPTypes
internal import StackmeterCore

/// What a request to report events holds: events by their place, and what is no event.
struct EventsBody {
  struct Malformed {
    let index: Int
    /// As far as the event has one.
    let id: String
    let problems: [CloudEventError.Problem]
  }

  /// Whether the body is one event, which is then answered by a status of its own.
  let isSingle: Bool
  private(set) var events: [UsageEvent] = []
  /// Where each of `events` stands in the body.
  private(set) var indices: [Int] = []
  private(set) var malformed: [Malformed] = []

  init(_ bytes: [UInt8], form: Form) throws(HTTPProblem) {
    let root: JSONValue
    do {
      root = try JSONValue(parsing: bytes, limits: .batch)
    } catch {
      throw HTTPProblem(.badRequest, "Malformed", error.description)
    }
    switch (root, form) {
    case (.object, .one), (.object, .either):
      isSingle = true
      read(root, index: 0)
    case (.array(let elements), .many), (.array(let elements), .either):
      isSingle = false
      guard elements.count <= EventLimits.batchEventsMax else {
        throw HTTPProblem(
          .contentTooLarge, "ContentTooLarge",
          "the batch has \(elements.count) events; at most \(EventLimits.batchEventsMax) are taken")
      }
      for (index, element) in elements.enumerated() { read(element, index: index) }
    default:
      throw HTTPProblem(.badRequest, "Malformed", form.expectation)
    }
  }

  private mutating func read(_ value: JSONValue, index: Int) {
    do throws(CloudEventError) {
      events.append(try UsageEvent(cloudEvent: value))
      indices.append(index)
    } catch {
      let id = JSONObject(value, path: "")?["id"]?.string ?? ""
      malformed.append(
        Malformed(
          index: index, id: id.utf8.count <= EventLimits.idBytesMax ? id : "",
          problems: error.problems))
    }
  }

  /// The forms of CloudEvents' JSON format, by content type.
  enum Form {
    case one
    case many
    case either

    static let taken =
      "application/cloudevents+json, application/cloudevents-batch+json or application/json"

    /// Parameters such as `charset` are ignored; JSON is UTF-8.
    init(contentType: String?) throws(HTTPProblem) {
      let type = (contentType ?? "").prefix { $0 != ";" }.filter { $0 != " " && $0 != "\t" }
      switch String(type).asciiLowercased {
      case "application/cloudevents+json": self = .one
      case "application/cloudevents-batch+json": self = .many
      case "application/json": self = .either
      default:
        throw HTTPProblem(
          .unsupportedMediaType, "UnsupportedMediaType", "the Content-Type must be \(Form.taken)")
      }
    }

    var expectation: String {
      switch self {
      case .one:
        "the body must be one JSON object; a batch is application/cloudevents-batch+json"
      case .many: "the body must be a JSON array of events"
      case .either: "the body must be a JSON object or an array of them"
      }
    }
  }
}
