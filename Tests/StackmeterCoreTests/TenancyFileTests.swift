import StackmeterCore
import Testing

@Suite struct TenancyFileTests {
  private func read(_ providers: String) -> Result<[Tenancy], SubscriptionDirectoryError> {
    let text = #"{"subscriptions":[{"id":"S","providers":\#(providers)}]}"#
    do throws(SubscriptionDirectoryError) {
      return .success(try SubscriptionDirectory(json: Array(text.utf8)).tenancies)
    } catch {
      return .failure(error)
    }
  }

  @Test func `a tenancy has whole hours, open where nothing is said`() {
    let day = Instant(parsing: "2026-01-01T00:00:00Z")!.hour
    #expect(read("[]") == .success([]))
    #expect(
      read(#"[{"provider":"P"}]"#) == .success([Tenancy(provider: "p", subscription: "s")]))
    let dated =
      #"[{"provider":"b","from":"2026-01-01T01:00:00Z","until":null},"#
      + #"{"provider":"a","from":"2026-01-01T00:00:00Z","until":"2026-01-01T02:00:00+01:00"}]"#
    #expect(
      read(dated)
        == .success([
          Tenancy(provider: "a", subscription: "s", hours: day..<day.next),
          Tenancy(
            provider: "b", subscription: "s", hours: day.next..<Tenancy.always.upperBound),
        ]))
  }

  @Test(arguments: [
    (#"{}"#, "providers: "), (#"[7]"#, "providers[0]: "), (#"[{}]"#, "providers[0].provider: "),
    (#"[{"provider":""}]"#, "providers[0].provider: "),
    (#"[{"provider":"a b"}]"#, "providers[0].provider: "),
    (#"[{"provider":"a","since":"x"}]"#, "providers[0].since: "),
    (#"[{"provider":"a","from":"2026-01-01T00:30:00Z"}]"#, "providers[0].from: "),
    (#"[{"provider":"a","from":"2026-01-01"}]"#, "providers[0].from: "),
    (#"[{"provider":"a","from":7}]"#, "providers[0].from: "),
    (
      #"[{"provider":"a","from":"2026-01-02T00:00:00Z","until":"2026-01-02T00:00:00Z"}]"#,
      "providers[0].until: "
    ),
    (#"[{"provider":"a"},{"provider":"b"}]"#, "providers[1]: is at the time of \"a\""),
    (
      #"[{"provider":"a","until":"2026-01-02T01:00:00Z"},"#
        + #"{"provider":"a","from":"2026-01-02T00:00:00Z"}]"#, "providers[1]: is at the time"
    ),
  ])
  func `what is no tenancy, or at the time of another, is named`(providers: String, problem: String)
  {
    guard case .failure(let error) = read(providers) else {
      Issue.record("it was taken")
      return
    }
    #expect(error.problems.contains { $0.hasPrefix("subscriptions[0].\(problem)") })
  }

  @Test func `a subscription has so many tenancies at most`() {
    func list(_ count: Int) -> String {
      let all = (0..<count).map {
        let hour = Instant(parsing: "2026-01-01T00:00:00Z")!.hour.index + Int64($0)
        return """
          {"provider":"p","from":"\(Hour(index: hour).start)","until":"\(Hour(index: hour + 1).start)"}
          """
      }
      return "[\(all.joined(separator: ","))]"
    }
    guard case .success(let most) = read(list(SubscriptionLimits.tenanciesMax)) else {
      Issue.record("the most are refused")
      return
    }
    #expect(most.count == SubscriptionLimits.tenanciesMax)
    guard case .failure = read(list(SubscriptionLimits.tenanciesMax + 1)) else {
      Issue.record("one more is taken")
      return
    }
  }
}
