internal import HTTPTypes
internal import StackmeterCore

/// How the events of a request are written, by its headers: CloudEvents' structured, batched and binary modes, plain
/// JSON, and one event on each line.
enum EventsForm: Hashable {
  /// `application/cloudevents+json`: one event.
  case one
  /// `application/cloudevents-batch+json`: an array of events.
  case many
  /// `application/json`: either of the two.
  case either
  /// NDJSON: an event on each line, of which there may be any number.
  case lines
  /// The attributes in `ce-` headers, the data in the body.
  case binary

  static let lineTypes = ["application/x-ndjson", "application/ndjson", "application/jsonl"]

  /// Parameters such as `charset` are ignored; JSON is UTF-8. The type decides first, as the specification has it:
  /// headers beside a structured event are copies of it.
  init(_ headers: HTTPFields) throws(HTTPProblem) {
    let type = String(
      (headers[.contentType] ?? "").prefix { $0 != ";" }.filter { $0 != " " && $0 != "\t" }
    )
    .asciiLowercased
    if type == "application/cloudevents+json" {
      self = .one
    } else if type == "application/cloudevents-batch+json" {
      self = .many
    } else if type.hasPrefix("application/cloudevents") {
      throw .eventsTypeNotTaken
    } else if headers.contains(where: { $0.name.isCloudEventAttribute }) {
      // Of libraries, some leave the type of JSON out.
      guard
        type.isEmpty || type == "application/json" || type == "text/json" || type.hasSuffix("+json")
      else { throw .eventsTypeNotTaken }
      self = .binary
    } else if type == "application/json" {
      self = .either
    } else if EventsForm.lineTypes.contains(type) {
      self = .lines
    } else {
      throw .eventsTypeNotTaken
    }
  }

  var expectation: String {
    switch self {
    case .one:
      "the body must be one JSON object; a batch is application/cloudevents-batch+json"
    case .many: "the body must be a JSON array of events"
    case .either: "the body must be a JSON object or an array of them"
    case .lines: "each line must be a JSON object"
    case .binary: "the body must be the JSON object that the event carries as its data"
    }
  }
}

extension HTTPProblem {
  fileprivate static let eventsTypeNotTaken = HTTPProblem(
    .unsupportedMediaType, "UnsupportedMediaType",
    "the Content-Type must be application/cloudevents+json, application/cloudevents-batch+json, "
      + "application/json or one of \(EventsForm.lineTypes.joined(separator: ", ")), "
      + "or JSON beside ce- headers")
}
