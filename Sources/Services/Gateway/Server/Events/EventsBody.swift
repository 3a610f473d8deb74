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
  /// The events, by source.
  var batches: [SourcedBatch] { batcher.batches }
  private(set) var malformed: [Malformed] = []
  private var batcher = EventBatcher()

  init(_ bytes: [UInt8], form: Form) throws(HTTPProblem) {
    do {
      var parser = JSONParser(bytes: bytes, limits: .batch)
      parser.skipSpace()
      if form != .one, parser.skip("[") {
        isSingle = false
        try readElements(&parser)
        try parser.end()
        return
      }
      let root = try parser.wholeText()
      guard form != .many, case .object = root else {
        throw HTTPProblem(.badRequest, "Malformed", form.expectation)
      }
      isSingle = true
      read(root, index: 0, nil, bytes)
    } catch let error as JSONError {
      throw HTTPProblem(.badRequest, "Malformed", error.description)
    } catch let problem as HTTPProblem {
      throw problem
    } catch {
      throw HTTPProblem(.badRequest, "Malformed", "\(error)")
    }
  }

  /// Reads events up to the end of the array whose bracket was passed.
  private mutating func readElements(_ parser: inout JSONParser) throws {
    parser.skipSpace()
    guard !parser.skip("]") else { return }
    var index = 0
    repeat {
      guard index < EventLimits.batchEventsMax else {
        throw HTTPProblem(
          .contentTooLarge, "ContentTooLarge",
          "the batch has more than the \(EventLimits.batchEventsMax) events that are taken")
      }
      parser.skipSpace()
      let skim = parser.bytes.withUnsafeBufferPointer { CloudEventSkim($0, at: parser.position) }
      if let skim, batcher.append(skim, of: parser.bytes, index: index) {
        parser.position = skim.end
      } else {
        read(try parser.value(depth: 1), index: index, skim?.seriesParts, parser.bytes)
      }
      index += 1
      parser.skipSpace()
    } while parser.skip(",")
    guard parser.skip("]") else { throw parser.failure("a comma or ] must follow an element") }
  }

  private mutating func read(
    _ value: JSONValue, index: Int, _ parts: CloudEventSkim.SeriesParts?, _ text: [UInt8]
  ) {
    do throws(CloudEventError) {
      batcher.append(try UsageEvent(cloudEvent: value), parts, of: text, index: index)
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
