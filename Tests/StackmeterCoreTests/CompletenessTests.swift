import StackmeterCore
import Testing

@Suite struct CompletenessTests {
  private static let hour = Hour(index: 500_000)

  private func time(_ seconds: Int64) -> Instant {
    Self.hour.start.advanced(by: .seconds(seconds))
  }

  private func heartbeat(
    _ source: String = "vm", every cadence: UInt32 = 60, until seconds: Int64
  ) -> Heartbeat {
    Heartbeat(source: source, cadenceSeconds: cadence, completeUntil: time(seconds))
  }

  @Test func `a heartbeat declares a source, moves it on and never back`() throws {
    var table = SourceTable()
    table.take(heartbeat(until: 0), time: time(1), position: 4)
    let first = try #require(table["vm"])
    #expect(first.completeUntil == time(0) && first.heardTime == time(1) && first.position == 4)
    for seconds: Int64 in [0, -60] {
      let outcome = table.take(heartbeat(until: seconds), time: time(2), position: 5)
      #expect(outcome == .unchanged(first) && table["vm"] == first)
    }
    table.take(heartbeat(until: 60), time: time(61), position: 6)
    #expect(table["vm"]?.completeUntil == time(60) && table["vm"]?.heardTime == time(61))
    // Another cadence is news, an older time beside it is not.
    table.take(heartbeat(every: 3600, until: 30), time: time(70), position: 7)
    let last = try #require(table["vm"])
    #expect(last.cadenceSeconds == 3600 && last.completeUntil == time(60))
    #expect(last.heardTime == time(70))
  }

  @Test func `a source that has ended is expected no more, and may come again`() {
    var table = SourceTable()
    #expect(table.take(.end(of: "vm"), time: time(0), position: 1) == .unchanged(nil))
    table.take(heartbeat(until: 60), time: time(1), position: 1)
    #expect(table.take(.end(of: "vm"), time: time(2), position: 1) == .ended)
    #expect(table.isEmpty)
    table.take(heartbeat(until: 30), time: time(3), position: 1)
    #expect(table["vm"]?.completeUntil == time(30))
  }

  @Test func `past the limit no source is declared, and one that ends makes room`() {
    var table = SourceTable()
    for number in 0..<HeartbeatLimits.sourcesMax {
      table.take(heartbeat("\(number)", until: 0), time: time(1), position: 1)
    }
    #expect(table.take(heartbeat("more", until: 0), time: time(2), position: 1) == .full)
    #expect(table.count == HeartbeatLimits.sourcesMax && table["more"] == nil)
    // Those that are there go on.
    table.take(heartbeat("7", until: 9), time: time(3), position: 1)
    #expect(table["7"]?.completeUntil == time(9))
    table.take(.end(of: "7"), time: time(4), position: 1)
    table.take(heartbeat("more", until: 0), time: time(5), position: 1)
    #expect(table.count == HeartbeatLimits.sourcesMax && table["more"] != nil)
  }

  @Test func `a source is silent once it is late by more than two cadences`() {
    let source = ReportingSource(
      name: "vm", cadenceSeconds: 60, completeUntil: time(0), heardTime: time(10), position: 1)
    #expect(source.overdue(at: time(0)) == .zero && source.overdue(at: time(70)) == .zero)
    #expect(source.overdue(at: time(75)) == .seconds(5))
    #expect(!source.isSilent(at: time(190)) && source.isSilent(at: time(191)))
  }

  @Test func `what is wrong with a heartbeat names the field`() {
    #expect(heartbeat(until: 0).problem == nil && Heartbeat.end(of: "vm").problem == nil)
    let most = HeartbeatLimits.cadenceSecondsMax
    #expect(heartbeat(every: most, until: 0).problem == nil)
    #expect(heartbeat(every: most + 1, until: 0).problem?.field == "cadence_seconds")
    // A cadence that was forgotten does not end the source.
    #expect(heartbeat(every: 0, until: 0).problem?.field == "cadence_seconds")
    for nanoseconds in [-1, Instant.accepted.upperBound.nanoseconds, .max] {
      let strange = Heartbeat(
        source: "vm", cadenceSeconds: 1, completeUntil: Instant(nanoseconds: nanoseconds))
      #expect(strange.problem?.field == "complete_until")
    }
  }

  private func completeness(_ sources: [(String, Int64)]) -> Completeness {
    Completeness(
      openWindow: Self.hour,
      sources: sources.map {
        ReportingSource(
          name: $0.0, cadenceSeconds: 60, completeUntil: time($0.1), heardTime: time(0),
          position: 1)
      })
  }

  @Test func `without a source usage is final once its windows are closed`() {
    let none = completeness([])
    #expect(none.isFinal(usageEnd: time(0), isProvisional: false))
    #expect(!none.isFinal(usageEnd: time(0), isProvisional: true))
    #expect(!none.isFinal(usageEnd: time(3600), isProvisional: false))
    #expect(none.missing(until: time(3600)).isEmpty)
  }

  @Test func `usage is final where every source is past its end`() {
    let both = completeness([("late", -3600), ("early", 60)])
    #expect(both.isFinal(usageEnd: time(-3600), isProvisional: false))
    #expect(!both.isFinal(usageEnd: time(-3599), isProvisional: false))
    #expect(both.missing(until: time(-3600)).isEmpty)
    #expect(both.missing(until: time(0)).names == ["late"])
    // Hours that are not over wait for the clock.
    #expect(both.missing(until: time(86_400)).names == ["late"])
    #expect(completeness([("a", 0)]).missing(until: time(86_400)).isEmpty)
  }

  @Test func `a long list of sources is cut, and the rest counted`() {
    let names = (0..<30).map { "s\($0 + 10)" }
    let missing = MissingSources(names.reversed())
    #expect(missing.names == Array(names.prefix(20)) && missing.others == 10)
    #expect(missing.count == 30 && missing.withoutNames.names.isEmpty)
    #expect(missing.withoutNames.description == "30 sources")
    #expect(MissingSources(["b", "a"]).description == "a, b")
    #expect(missing.description.hasSuffix("s29 and 10 others"))
    #expect(MissingSources.none.isEmpty && MissingSources.none.description.isEmpty)
  }
}
