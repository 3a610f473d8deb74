internal import HTTPTypes
internal import StackmeterCore

/// What a request to report events holds, or a part of it: events by their place, and what is no event.
struct EventsBody: Sendable {
  struct Malformed: Sendable {
    let index: Int
    /// As far as the event has one.
    let id: String
    let problems: [CloudEventError.Problem]
  }

  /// Whether the body is one event, which is then answered by a status of its own.
  let isSingle: Bool
  /// The events, by source.
  private(set) var batches: [SourcedBatch] = []
  private(set) var malformed: [Malformed] = []
  /// How many are malformed beside these.
  private(set) var otherMalformed = 0

  /// A whole body of JSON.
  init(_ bytes: [UInt8], form: EventsForm, _ words: SeriesWords.Pool) throws(HTTPProblem) {
    var batcher = EventBatcher(words.take() ?? SeriesWords())
    defer { words.give(batcher.words) }
    do {
      var parser = JSONParser(bytes: bytes, limits: .batch)
      parser.skipSpace()
      if form != .one, parser.skip("[") {
        isSingle = false
        try readElements(&parser, &batcher)
        try parser.end()
        batches = batcher.batches
        return
      }
      let root = try parser.wholeText()
      guard form != .many, case .object = root else {
        throw HTTPProblem(.badRequest, "Malformed", form.expectation)
      }
      isSingle = true
      read(root, index: 0, nil, bytes, &batcher)
      batches = batcher.batches
    } catch let error as JSONError {
      throw HTTPProblem(.badRequest, "Malformed", error.description)
    } catch let problem as HTTPProblem {
      throw problem
    } catch {
      throw HTTPProblem(.badRequest, "Malformed", "\(error)")
    }
  }

  /// One event that is not JSON by itself.
  init(single value: JSONValue) {
    isSingle = true
    var batcher = EventBatcher(SeriesWords())
    read(value, index: 0, nil, [], &batcher)
    batches = batcher.batches
  }

  /// Whole lines, of which `text` has `range`; the first is line `firstIndex` of the request, and `linesRead` is how
  /// many there are. Lines of nothing but space are no events. Of malformed ones, `malformedMax` are told of.
  init(
    lines text: [UInt8], in range: Range<Int>, firstIndex: Int, malformedMax: Int,
    linesRead: inout Int, _ words: SeriesWords.Pool
  ) {
    var batcher = EventBatcher(words.take() ?? SeriesWords())
    defer { words.give(batcher.words) }
    isSingle = false
    var start = range.lowerBound
    linesRead = 0
    while start < range.upperBound {
      let end =
        text[start..<range.upperBound].firstIndex(of: UInt8(ascii: "\n")) ?? range.upperBound
      readLine(text, start..<end, index: firstIndex + linesRead, malformedMax, &batcher)
      linesRead += 1
      start = end + 1
    }
    batches = batcher.batches
  }

  /// A line that is not read at all.
  init(malformedLine index: Int, _ problem: String) {
    isSingle = false
    addMalformedLine(index, problem)
  }

  private mutating func addMalformedLine(_ index: Int, _ problem: String) {
    malformed.append(
      Malformed(index: index, id: "", problems: [.init(field: "", message: problem)]))
  }

  static let lineTooLong =
    "the line has more than the \(GatewayLimits.eventLineBytesMax) bytes that are taken"

  private mutating func readLine(
    _ text: [UInt8], _ line: Range<Int>, index: Int, _ malformedMax: Int,
    _ batcher: inout EventBatcher
  ) {
    guard let start = text[line].firstIndex(where: { !isSpace($0) }) else { return }
    // The skim sees nothing behind the line.
    let skim = text.withUnsafeBufferPointer {
      CloudEventSkim(UnsafeBufferPointer(rebasing: $0[..<line.upperBound]), at: start)
    }
    if let skim, line.count <= GatewayLimits.eventLineBytesMax,
      text[skim.end..<line.upperBound].allSatisfy(isSpace),
      batcher.append(skim, of: text, index: index)
    {
      return
    }
    let isTold = malformed.count < malformedMax
    if line.count > GatewayLimits.eventLineBytesMax {
      addMalformedLine(index, EventsBody.lineTooLong)
    } else {
      do throws(JSONError) {
        let value = try JSONValue(parsing: Array(text[line]), limits: .event)
        read(value, index: index, skim?.seriesParts, text, &batcher)
      } catch {
        addMalformedLine(index, error.description)
      }
    }
    if !isTold, malformed.count > malformedMax {
      malformed.removeLast()
      otherMalformed += 1
    }
  }

  private func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x09 || byte == 0x0D
  }

  /// Reads events up to the end of the array whose bracket was passed.
  private mutating func readElements(
    _ parser: inout JSONParser, _ batcher: inout EventBatcher
  ) throws {
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
        read(
          try parser.value(depth: 1), index: index, skim?.seriesParts, parser.bytes, &batcher)
      }
      index += 1
      parser.skipSpace()
    } while parser.skip(",")
    guard parser.skip("]") else { throw parser.failure("a comma or ] must follow an element") }
  }

  private mutating func read(
    _ value: JSONValue, index: Int, _ parts: CloudEventSkim.SeriesParts?, _ text: [UInt8],
    _ batcher: inout EventBatcher
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
}
