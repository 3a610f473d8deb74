import StackmeterCore
import Testing

@Suite struct SeriesTests {
  private let series = Series(
    subscription: "s1", meter: "m1",
    resource: Resource(uri: "/r", location: "l", tags: "{\"a\":\"b\"}", additionalInfo: "i"))

  @Test func `two series are the same only where every field is`() {
    var others = Array(repeating: series, count: 6)
    others[0].subscription = "s2"
    others[1].meter = "M1"
    others[2].resource.uri = "/R"
    others[3].resource.location = ""
    others[4].resource.tags = ""
    others[5].resource.additionalInfo = "j"
    #expect(Set(others + [series]).count == 7)
    for other in others { #expect(other != series) }
    #expect(Set([series, series]).count == 1)
  }

  @Test func `composed and decomposed letters are different in every field`() {
    let composed = "\u{E9}"
    let decomposed = "e\u{301}"
    #expect(composed == decomposed)
    func all(_ text: String) -> [Series] {
      [
        Series(subscription: text, meter: "m", resource: Resource(uri: "r")),
        Series(subscription: "s", meter: text, resource: Resource(uri: "r")),
        Series(subscription: "s", meter: "m", resource: Resource(uri: text)),
        Series(subscription: "s", meter: "m", resource: Resource(uri: "r", location: text)),
        Series(subscription: "s", meter: "m", resource: Resource(uri: "r", tags: text)),
        Series(subscription: "s", meter: "m", resource: Resource(uri: "r", additionalInfo: text)),
      ]
    }
    for (left, right) in zip(all(composed), all(decomposed)) { #expect(left != right) }
    #expect(Set(all(composed) + all(decomposed)).count == 12)
  }

  @Test func `what moves from one field to the next makes another series`() {
    let left = Resource(uri: "ab", location: "c")
    let right = Resource(uri: "a", location: "bc")
    #expect(left != right)
    #expect(Set([left, right]).count == 2)
  }

  @Test func `equal tags make one text whatever their order`() {
    let text = "{\"B\":\"2\",\"a\":\"1\",\"é\":\"3\"}"
    #expect(
      Resource.canonicalTags([("a", "1"), ("é", "3"), ("B", "2")]) == text)
    #expect(Resource.canonicalTags([("B", "2"), ("a", "1"), ("é", "3")]) == text)
    #expect(Resource.canonicalTags([]) == "")
    #expect(Resource.canonicalTags([("a\"\n", "\\")]) == "{\"a\\\"\\n\":\"\\\\\"}")
  }

  @Test func `the last of two equal names counts, and names that differ in bytes both stay`() {
    #expect(Resource.canonicalTags([("a", "1"), ("a", "2")]) == "{\"a\":\"2\"}")
    let both = Resource.canonicalTags([("\u{E9}", "1"), ("e\u{301}", "2")])
    #expect(both.utf8.elementsEqual("{\"e\u{301}\":\"2\",\"\u{E9}\":\"1\"}".utf8))
  }

  @Test func `tags are read back from their text`() {
    let tags = [("\u{E9}", "1"), ("e\u{301}", "2"), ("q\"", "\n")]
    let resource = Resource(uri: "r", tags: Resource.canonicalTags(tags))
    #expect(resource.tagMembers.map(\.name.unicodeScalars.count) == [2, 2, 1])
    #expect(resource.tagMembers.map(\.value) == ["2", "\n", "1"])
    #expect(Resource(uri: "r").tagMembers.isEmpty)
    #expect(Resource(uri: "r", tags: "[1]").tagMembers.isEmpty)
    #expect(Resource(uri: "r", tags: "{").tagMembers.isEmpty)
  }

  @Test func `lower case is of ASCII letters only`() {
    #expect("AZaz09-É\u{130}\u{212A}[@`{".asciiLowercased == "azaz09-É\u{130}\u{212A}[@`{")
    #expect("".asciiLowercased == "")
  }

  @Test func `an exact text is equal by bytes`() {
    #expect(ExactText("a") == ExactText("a"))
    #expect(ExactText("a") != ExactText("b"))
    #expect(ExactText("K") != ExactText("\u{212A}"))
    #expect(Set([ExactText("\u{E9}"), ExactText("e\u{301}"), ExactText("\u{E9}")]).count == 2)
  }
}
