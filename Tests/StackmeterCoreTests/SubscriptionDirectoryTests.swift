import StackmeterCore
import Testing

@Suite struct SubscriptionDirectoryTests {
  private func directory(_ text: String) throws(SubscriptionDirectoryError) -> SubscriptionDirectory
  {
    try SubscriptionDirectory(json: Array(text.utf8))
  }

  private func problems(_ text: String) -> [String] {
    do throws(SubscriptionDirectoryError) {
      _ = try directory(text)
      return []
    } catch {
      return error.problems
    }
  }

  @Test func `a directory is read in the order of its ids, in lower case`() throws {
    let read = try directory(
      #"{"subscriptions":[{"id":"B-2"},{"id":"a-1","displayName":"Ünits","owner":"o","#
        + #""costCenter":"1","tags":{"z":"1","a":"2"},"state":"suspended"}]}"#)
    #expect(
      read.subscriptions == [
        Subscription(
          id: "a-1", displayName: "Ünits", owner: "o", costCenter: "1",
          tags: #"{"a":"2","z":"1"}"#, state: .suspended),
        Subscription(id: "b-2", state: .active),
      ])
    #expect(try directory(#"{"subscriptions":[]}"#) == .empty)
  }

  @Test func `every problem is reported at once, with its entry`() {
    let long = String(repeating: "x", count: 257)
    let found = problems(
      #"{"more":1,"subscriptions":[{"id":"a"},{"id":"A"},{"id":""},{"id":"a b"},7,"#
        + #"{"id":"c","state":"unassigned"},{"id":"d","tags":{"t":1}},{"id":"e","owner":"\#(long)"},"#
        + #"{"id":"f","name":"x"}]}"#)
    let expected = [
      "more: ", "subscriptions[1].id: is that of subscriptions[0]", "subscriptions[2].id: ",
      "subscriptions[3].id: ", "subscriptions[4]: ",
      "subscriptions[5].state: must be one of active",
      "subscriptions[6].tags: ", "subscriptions[7].owner: ", "subscriptions[8].name: unknown",
    ]
    #expect(found.count == expected.count)
    for (problem, start) in zip(found, expected) {
      #expect(problem.hasPrefix(start), "\(problem)")
    }
    for text in ["", "[]", "{}", #"{"subscriptions":{}}"#] {
      #expect(problems(text).count == 1, "\(text)")
    }
  }

  @Test func `past the limit of subscriptions a directory is refused`() throws {
    func text(_ count: Int) -> String {
      #"{"subscriptions":["# + (0..<count).map { #"{"id":"\#($0)"}"# }.joined(separator: ",") + "]}"
    }
    let most = SubscriptionLimits.subscriptionsMax
    #expect(try directory(text(most)).subscriptions.count == most)
    #expect(problems(text(most + 1)) == ["subscriptions: has 100001; at most 100000 are taken"])
  }
}
