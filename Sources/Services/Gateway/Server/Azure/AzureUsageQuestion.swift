internal import HTTPTypes
internal import StackmeterCore

/// What a request for usage aggregates asks, by the rules of Azure's Usage API 2015-06-01-preview.
struct AzureUsageQuestion: Hashable {
  let windows: Range<Hour>
  let granularity: Granularity
  /// Of the provider API: one subscription among all.
  let subscriber: String?
  let continuationToken: String

  /// Parameter names are compared without regard to ASCII case, unknown ones are ignored, an empty value is an
  /// absent one. `showDetails` is taken and changes nothing, as on Azure Stack.
  init(_ parameters: QueryParameters, now: Instant) throws(HTTPProblem) {
    var values: [String: String] = [:]
    for item in parameters.items where !item.value.isEmpty {
      let isNew = values.updateValue(item.value, forKey: item.name.asciiLowercased) == nil
      guard isNew else { throw .invalid(item.name, "stands more than once") }
    }
    guard values["api-version"] != nil else {
      throw HTTPProblem(
        .badRequest, "NoApiVersion",
        "the api-version is missing; add api-version=2015-06-01-preview")
    }
    granularity = try AzureUsageQuestion.granularity(values["aggregationgranularity"])
    let start = try AzureUsageQuestion.time(
      "reportedStartTime", values["reportedstarttime"], granularity)
    let end = try AzureUsageQuestion.time(
      "reportedEndTime", values["reportedendtime"], granularity)
    guard end <= now else {
      throw HTTPProblem(
        .badRequest, "RequestEndTimeIsInFuture",
        "reportedEndTime \(end) is in the future; it is \(now) now")
    }
    guard start < end else {
      throw .invalid("reportedEndTime", "must be after reportedStartTime")
    }
    windows = start.hour..<end.hour
    subscriber = values["subscriberid"]?.asciiLowercased
    continuationToken = values["continuationtoken"] ?? ""
  }

  private static func granularity(_ text: String?) throws(HTTPProblem) -> Granularity {
    switch text?.asciiLowercased {
    case nil, "daily": return .daily
    case "hourly": return .hourly
    default:
      throw HTTPProblem(
        .badRequest, "InvalidAggregationGranularity",
        "aggregationGranularity must be Daily or Hourly")
    }
  }

  private static func time(
    _ name: String, _ text: String?, _ granularity: Granularity
  ) throws(HTTPProblem) -> Instant {
    guard let text else { throw .invalid(name, "is needed") }
    guard let instant = Instant(azure: text) else {
      throw .invalid(name, "must be a time in UTC such as 2026-11-23T15:00:00+00:00")
    }
    switch granularity {
    case .hourly where instant != instant.hour.start:
      throw .invalid(name, "must be the beginning of an hour")
    case .daily where instant != instant.hour.day.start:
      throw .invalid(name, "must be midnight UTC where aggregationGranularity is Daily")
    default: return instant
    }
  }
}
