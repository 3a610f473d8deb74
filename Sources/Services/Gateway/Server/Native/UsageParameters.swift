internal import GRPCCore
internal import StackmeterCore

/// What questions about usage have in common.
extension ParameterReader {
  /// The subscriptions that are asked for, in lower case; throws where the caller may not see one of them.
  func visibleSubscriptions(to caller: Caller) throws(HTTPProblem) -> [String] {
    let subscriptions = texts("subscription").map(\.asciiLowercased)
    if let foreign = subscriptions.first(where: { !caller.maySee($0) }) {
      throw .subscriptionNotFound(foreign)
    }
    return subscriptions
  }

  mutating func granularity() -> Granularity {
    switch choice("granularity") {
    case "daily": .daily
    case "monthly": .monthly
    default: .hourly
    }
  }

  /// Which of the two times `from` and `to` are; nil where it is not said.
  mutating func axis() -> TimeAxis? {
    switch choice("by") {
    case "reported": .reported
    case "usage": .usage
    default: nil
    }
  }

  /// The window that an instant lies in: what was reported before it counts.
  mutating func asOf() -> Hour? {
    guard let instant = time("asOf") else { return nil }
    guard instant.hour.index > 0 else {
      add("asOf", "must be after 1970-01-01T01:00:00Z")
      return nil
    }
    return instant.hour
  }

  /// What totals are told apart by, in the order of the answer; `meter` may stand among them and says nothing.
  mutating func groupings() -> [Grouping] {
    var groupings: [Grouping] = []
    for name in (text("groupBy") ?? "").split(separator: ",", omittingEmptySubsequences: true) {
      let colon = name.firstIndex(of: ":")
      let tag = colon.map { String(name[name.index(after: $0)...]) } ?? ""
      switch String(name[..<(colon ?? name.endIndex)]).asciiLowercased {
      case "meter" where colon == nil: continue
      case "hour" where colon == nil: groupings.append(.hour)
      case "day" where colon == nil: groupings.append(.day)
      case "month" where colon == nil: groupings.append(.month)
      case "subscription" where colon == nil: groupings.append(.subscription)
      case "resource" where colon == nil: groupings.append(.resource)
      case "resourcegroup" where colon == nil: groupings.append(.resourceGroup)
      case "location" where colon == nil: groupings.append(.location)
      case "owner" where colon == nil: groupings.append(.owner)
      case "costcenter" where colon == nil: groupings.append(.costCenter)
      case "department" where colon == nil: groupings.append(.subscriptionTag("department"))
      case "tag" where !tag.isEmpty: groupings.append(.tag(tag))
      case "subscriptiontag" where !tag.isEmpty: groupings.append(.subscriptionTag(tag))
      default:
        add(
          "groupBy",
          "must be of hour, day, month, subscription, meter, resource, resourceGroup, location, "
            + "tag:NAME, owner, costCenter, department, subscriptionTag:NAME")
        return []
      }
    }
    return groupings
  }

  mutating func seriesSelection() -> SeriesSelection {
    var selection = SeriesSelection()
    selection.resourceURIs = texts("resourceUri")
    selection.resourceURIPrefixes = texts("resourceUriPrefix")
    selection.resourceGroups = texts("resourceGroup").map(\.asciiLowercased)
    selection.locations = texts("location")
    for text in texts("tag") {
      if let tag = TagSelection(parsing: text) {
        selection.tags.append(tag)
      } else {
        add("tag", "must be a name, or name:value")
      }
    }
    return selection
  }
}

/// How the fields of query's own messages are called in a URL.
private let parameterNames = [
  "as_of_window": "asOf", "from_window": "from", "to_window": "to", "from_hour": "from",
  "to_hour": "to", "page_size": "pageSize", "page_token": "pageToken", "groupings": "groupBy",
  "top": "top", "axis": "by", "granularity": "granularity", "restated_since": "restatedSince",
  "group_by": "groupBy", "period": "period", "version": "version", "line": "line",
  "selection.tags": "tag", "selection.locations": "location",
]

/// Says what query refuses of a question by the names of its parameters.
func namingParameters<Answer>(
  _ ask: () async throws(RPCError) -> Answer
) async throws -> Answer {
  do throws(RPCError) {
    return try await ask()
  } catch {
    guard error.code == .invalidArgument, let colon = error.message.firstIndex(of: ":"),
      let name = parameterNames[String(error.message[..<colon])]
    else { throw error }
    let message = error.message[error.message.index(after: colon)...].drop { $0 == " " }
    throw HTTPProblem.invalid(name, String(message))
  }
}
