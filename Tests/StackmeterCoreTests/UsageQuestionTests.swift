import StackmeterCore
import Testing

@Suite struct UsageQuestionTests {
  @Test(arguments: Granularity.allCases)
  func `every hour lies in exactly one period, and periods follow each other`(
    granularity: Granularity
  ) {
    // From 1969 on: late usage may be older than 1970.
    for hour in stride(from: Int64(-9000), to: 1_000_000, by: 7) {
      let period = granularity.period(ofHour: hour)
      let hours = granularity.hours(ofPeriod: period)
      #expect(hours.contains(hour) && !hours.isEmpty)
      #expect(granularity.hours(ofPeriod: period + 1).lowerBound == hours.upperBound)
      #expect(granularity.begins(at: Hour(index: hours.lowerBound)))
      #expect(granularity.begins(at: Hour(index: hour)) == (hour == hours.lowerBound))
    }
  }

  @Test func `months are those of the calendar`() {
    func month(_ text: String) -> Int64 {
      Granularity.monthly.period(ofHour: Instant(parsing: text)!.hour.index)
    }
    #expect(month("1970-01-31T23:00:00Z") == 0)
    #expect(month("2026-12-31T23:00:00Z") == 683)
    #expect(month("2027-01-01T00:00:00Z") == 684)
    let february = Granularity.monthly.hours(ofPeriod: month("2028-02-10T00:00:00Z"))
    #expect(february.count == 29 * 24)
  }

  @Test(
    arguments: [
      ("/subscriptions/s/resourceGroups/Rg-1/providers/x", "rg-1"), ("/RESOURCEGROUPS/a", "a"),
      ("resourcegroups/a/resourcegroups/b", "a"), ("/resourceGroups", nil),
      ("/resourceGroups/", nil),
      ("/resourceGroups//b", nil), ("/resourceGroupsX/a", nil), ("", nil), ("/vm/1", nil),
      ("/resourceGroups/é", "é"),
    ] as [(String, String?)])
  func `the resource group is the segment behind its word`(uri: String, group: String?) {
    #expect(Resource(uri: uri).resourceGroup == group)
  }

  @Test func `one of each list must match, and of the tags of one name one`() {
    let resource = Resource(
      uri: "/a/b", location: "north", tags: #"{"env":"prod","team":"x:y"}"#)
    func matches(_ body: (inout SeriesSelection) -> Void) -> Bool {
      var selection = SeriesSelection()
      body(&selection)
      return selection.matches(resource)
    }
    #expect(SeriesSelection.all.isAll && matches { _ in })
    #expect(matches { $0.resourceURIs = ["/x", "/a/b"] })
    #expect(!matches { $0.resourceURIs = ["/A/b"] })
    #expect(
      matches {
        $0.resourceURIs = ["/x"]
        $0.resourceURIPrefixes = ["/a"]
      })
    #expect(!matches { $0.resourceURIPrefixes = ["/b"] })
    #expect(
      !matches {
        $0.resourceURIs = ["/a/b"]
        $0.locations = ["south"]
      })
    func tags(_ texts: String...) -> Bool {
      matches { $0.tags = texts.map { TagSelection(parsing: $0)! } }
    }
    #expect(tags("env") && tags("env:prod") && tags("env:test", "env:prod"))
    #expect(tags("env:prod", "team:x:y") && !tags("env:prod", "team:x"))
    #expect(!tags("Env") && !tags("env:") && !tags("env", "other"))
    #expect(TagSelection(parsing: "") == nil && TagSelection(parsing: ":v") == nil)
    #expect(TagSelection(parsing: "a:") == TagSelection(name: "a", value: ""))
  }
}
