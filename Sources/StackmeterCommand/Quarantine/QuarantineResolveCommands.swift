internal import ArgumentParser
internal import CollectorClient
internal import GRPCCore
internal import StackmeterCore
internal import StackmeterWire

/// Which entries are redriven or discarded: their numbers, or all that match.
struct QuarantineChoiceOptions: ParsableArguments {
  @OptionGroup var options: SettingsOptions
  @Argument(help: "The entries' numbers, as list shows them.")
  var numbers: [UInt64] = []
  @Flag(help: "All open entries, or those that the filters below choose.")
  var all = false
  @OptionGroup var filter: QuarantineFilterOptions
  @Flag(help: "With --all: only say how many entries it would be.")
  var dryRun = false
  @Flag(help: "One JSON object on each line.")
  var json = false

  func validate() throws {
    if numbers.isEmpty && !all { throw ValidationError("name entries by number, or give --all") }
    if !numbers.isEmpty && all { throw ValidationError("numbers and --all exclude each other") }
    if !all && !filter.isEmpty { throw ValidationError("filters need --all") }
    if !all && dryRun { throw ValidationError("--dry-run is for --all") }
  }

  /// Asks `resolve` for all that was chosen, call by call, and writes what became of it.
  func run(
    _ verb: QuarantineOutcome.Verb,
    _ resolve:
      @escaping @Sendable (CollectorClient, QuarantineChoice) async throws(RPCError) ->
      ResolveQuarantineResponse
  ) async throws {
    try await reportingFailure {
      let (filter, settings) = (try filter.filter(), try options.settings())
      guard !dryRun else {
        let count = try await withService("collector", of: settings) { channel in
          try await QuarantineListing.count(CollectorClient(channel), filter)
        }
        let entries = count == 1 ? "1 entry" : "\(count) entries"
        StandardStream.output.write("\(entries) would be \(verb.rawValue)\n")
        return
      }
      let outcome = try await LocalAudit.change(settings, "quarantine \(verb.command)") {
        try await withService("collector", of: settings) { channel in
          let collector = CollectorClient(channel)
          var outcome = QuarantineOutcome(verb)
          for choice in choices() {
            outcome.add(try await resolve(collector, choice), json: json)
          }
          if all {
            var (after, hasMore) = (0 as UInt64, true)
            while hasMore {
              let response = try await resolve(
                collector,
                .matching(filter, after: after, limit: QuarantineChoice.entriesMax))
              outcome.add(response, json: json)
              (after, hasMore) = (response.lastNumber, response.more)
            }
          }
          if !json { StandardStream.output.write(outcome.summary()) }
          return outcome
        }
      }
      if outcome.hasFailed { throw ExitCode(1) }
    }
  }

  /// The numbers, in calls of the size that is taken.
  private func choices() -> [QuarantineChoice] {
    stride(from: 0, to: numbers.count, by: QuarantineChoice.entriesMax).map { start in
      .numbers(Array(numbers[start...].prefix(QuarantineChoice.entriesMax)))
    }
  }
}

/// What became of the entries so far.
struct QuarantineOutcome {
  enum Verb: String {
    case redriven
    case discarded

    /// The command that does it.
    var command: String {
      switch self {
      case .redriven: "redrive"
      case .discarded: "discard"
      }
    }

    func isDone(_ outcome: QuarantineResolution.Outcome) -> Bool {
      switch (self, outcome) {
      case (.redriven, .redriven), (.discarded, .discarded): true
      case (.redriven, .discarded), (.discarded, .redriven): false
      }
    }
  }

  let verb: Verb
  private(set) var done = 0
  private(set) var refused = 0
  /// Closed before, in the other way.
  private(set) var closed = 0
  private(set) var absent = 0

  init(_ verb: Verb) {
    self.verb = verb
  }

  /// Something that was asked for is not so.
  var hasFailed: Bool { refused + closed + absent > 0 }

  /// Counts the results, and writes those that somebody must look at; with `json` every one.
  mutating func add(_ response: ResolveQuarantineResponse, json: Bool) {
    for result in response.results {
      count(result)
      if json {
        StandardStream.output.write(bytes: QuarantineOutcome.json(result))
      } else if let line = line(result) {
        StandardStream.output.write(line)
      }
    }
  }

  mutating func count(_ result: QuarantineResult) {
    switch result.state {
    case .resolved(let outcome) where verb.isDone(outcome): done += 1
    case .resolved: closed += 1
    case .open: refused += 1
    case .absent: absent += 1
    }
  }

  func summary() -> String {
    var parts = ["\(done) \(verb.rawValue)"]
    if refused > 0 { parts.append("\(refused) refused again") }
    if closed > 0 { parts.append("\(closed) closed before") }
    if absent > 0 { parts.append("\(absent) not there") }
    return parts.joined(separator: ", ") + "\n"
  }

  /// Nil where there is nothing to say.
  func line(_ result: QuarantineResult) -> String? {
    switch result.state {
    case .resolved(let outcome):
      verb.isDone(outcome)
        ? nil : "\(result.number): was \(result.state.name) before; it stays so\n"
    case .absent: "\(result.number): there is no such entry, or none any more\n"
    case .open:
      "\(result.number): "
        + (result.refusal.map {
          "\($0.reason.name): " + terminalText("\($0.field) \($0.message)")
        } ?? "still open") + "\n"
    }
  }

  static func json(_ result: QuarantineResult) -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in writer.members(of: result) }
    return writer.bytes + [UInt8(ascii: "\n")]
  }
}

/// `stackmeter quarantine redrive`.
struct QuarantineRedriveCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "redrive", abstract: "Report refused events again.",
    discussion: """
      Each is then counted, once, or refused again; then it stays as it is. An entry that was redriven before \
      is left alone. Exits with 1 where one was refused again or is not there.
      """)

  @OptionGroup var choice: QuarantineChoiceOptions

  func run() async throws {
    try await choice.run(.redriven) { collector, choice throws(RPCError) in
      try await collector.redriveQuarantine(choice)
    }
  }
}

/// `stackmeter quarantine discard`.
struct QuarantineDiscardCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "discard", abstract: "Give refused events up: they are never counted.",
    discussion: """
      Makes room in the quarantine once all entries of a part of its log are closed. An entry that was redriven \
      before is left alone.
      """)

  @OptionGroup var choice: QuarantineChoiceOptions

  func run() async throws {
    try await choice.run(.discarded) { collector, choice throws(RPCError) in
      try await collector.discardQuarantine(choice)
    }
  }
}
