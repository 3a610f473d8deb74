internal import HTTPTypes
internal import StackmeterCore

/// What a request for usage aggregates asks, by the rules of Azure's Usage API 2015-06-01-preview.
struct AzureUsageQuestion: Hashable {
  let windows: Range<Hour>
  let granularity: Granularity
  /// Whether lines are told apart by their resources. Azure's default is that they are.
  let showsDetails: Bool
  /// Of the provider API: one subscription among all.
  let subscriber: String?
  let continuationToken: String

  init(_ parameters: AzureParameters, now: Instant) throws(HTTPProblem) {
    granularity = try AzureUsageQuestion.granularity(
      try parameters.text("aggregationGranularity"))
    let start = try AzureUsageQuestion.time("reportedStartTime", parameters, granularity)
    let end = try AzureUsageQuestion.time("reportedEndTime", parameters, granularity)
    guard end <= now else {
      throw HTTPProblem(
        .badRequest, "RequestEndTimeIsInFuture",
        "reportedEndTime \(end) is in the future; it is \(now) now")
    }
    guard start < end else {
      throw .invalid("reportedEndTime", "must be after reportedStartTime")
    }
    windows = start.hour..<end.hour
    showsDetails = try parameters.flag("showDetails") ?? true
    subscriber = try parameters.text("subscriberId")?.asciiLowercased
    continuationToken = try parameters.text("continuationToken") ?? ""
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
    _ name: String, _ parameters: AzureParameters, _ granularity: Granularity
  ) throws(HTTPProblem) -> Instant {
    guard let text = try parameters.text(name) else { throw .invalid(name, "is needed") }
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
