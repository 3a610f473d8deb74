import StackmeterCore
import Testing

/// What programs are known to send, request line by request line; the programs that run here are in
/// `SystemTests/AzureClientTests`. A host and a subscription are ours where the recording has others.
@Suite(.timeLimit(.minutes(2))) struct AzureClientRequestTests {
  static let python = [
    AzureLine(
      "azure-mgmt-commerce 6.0.1, first page",
      "{t}UsageAggregates?reportedStartTime=2019-12-10T18%3A00%3A00.000Z"
        + "&reportedEndTime=2019-12-10T19%3A00%3A00.000Z&showDetails=true"
        + "&aggregationGranularity=Hourly&api-version=2015-06-01-preview",
      "hourly 2019-12-10T18:00:00Z 1 hours of {s}",
      headers: [
        "Accept: application/json, text/json", "User-Agent: azsdk-python-mgmt-commerce/6.0.1",
        "x-ms-client-request-id: 0a2b",
      ]),
    AzureLine(
      "azure-mgmt-commerce 1.0.1, which sends a content type with GET",
      "{t}UsageAggregates?reportedStartTime=2019-12-10T00%3A00%3A00.000Z"
        + "&reportedEndTime=2019-12-11T00%3A00%3A00.000Z&aggregationGranularity=Daily"
        + "&api-version=2015-06-01-preview", "daily 2019-12-10T00:00:00Z 24 hours of {s}",
      headers: ["Content-Type: application/json; charset=utf-8", "accept-language: en-US"]),
    AzureLine(
      "a compact time, a known mistake of its users",
      "{t}UsageAggregates?reportedStartTime=20181001T00%3A00%3A00Z"
        + "&reportedEndTime=2018-10-02T00%3A00%3A00Z&aggregationGranularity=Daily"
        + "&api-version=2015-06-01-preview", "400 InvalidProperty reportedStartTime"),
    AzureLine(
      "a script with requests: dates, an unpadded one, a subscriber",
      "{p}subscriberUsageAggregates?reportedStartTime=2017-11-29&reportedEndTime=2017-12-1"
        + "&aggregationGranularity=Hourly&subscriberId={s}&api-version=2015-06-01-preview",
      "hourly 2017-11-29T00:00:00Z 48 hours of {s}", headers: ["User-Agent: python-requests/2.18"]),
    AzureLine(
      "the notebook of python-azure-billing-usage: a plus for the T",
      "{t}UsageAggregates?api-version=2015-06-01-preview"
        + "&reportedStartTime=2018-06-12+00%3a00%3a00Z&reportedEndTime=2018-06-13+00%3a00%3a00Z"
        + "&aggregationGranularity=Daily&showDetails=true",
      "daily 2018-06-12T00:00:00Z 24 hours of {s}"),
  ]

  static let powerShell = [
    AzureLine(
      "Get-UsageAggregates: no zone, a small s",
      "{t}usageAggregates?api-version=2015-06-01-preview"
        + "&reportedstartTime=2015-05-01T00:00:00.0000000&reportedEndTime=2015-05-02T00:00:00.0000000"
        + "&showDetails=true&aggregationGranularity=Daily",
      "daily 2015-05-01T00:00:00Z 24 hours of {s}"),
    AzureLine(
      "Get-AzUsageAggregate: seven digits, and a plus that nobody escaped",
      "{t}UsageAggregates?api-version=2015-06-01-preview"
        + "&reportedstarttime=2019-12-10T19:00:00.0000000+00:00"
        + "&reportedEndTime=2019-12-10T20:00:00.0000000+00:00"
        + "&aggregationgranularity=Hourly&showDetails=True&continuationToken=",
      "hourly 2019-12-10T19:00:00Z 1 hours of {s}"),
    AzureLine(
      "Get-AzsSubscriberUsage",
      "{p}subscriberUsageAggregates?api-version=2015-06-01-preview"
        + "&reportedStartTime=2019-12-10T19%3A00%3A00.0000000Z"
        + "&reportedEndTime=2019-12-10T20%3A00%3A00.0000000Z&aggregationGranularity=Hourly",
      "hourly 2019-12-10T19:00:00Z 1 hours of all",
      headers: ["User-Agent: Azs.Commerce.Admin/1.0.2"]),
    AzureLine(
      "Usagesummary.ps1 of AzureStack-Tools",
      "{p}subscriberUsageAggregates?api-version=2015-06-01-preview"
        + "&reportedStartTime=2021-01-12T00%3A00%3A00.00Z&reportedEndTime=2021-01-13T00%3A00%3A00.00Z"
        + "&aggregationGranularity=Hourly&subscriberId={s}",
      "hourly 2021-01-12T00:00:00Z 24 hours of {s}"),
    AzureLine(
      "Usagesummary.ps1 of 2017: a loop of its own, the older path",
      "/subscriptions/x/providers/Microsoft.Commerce/subscriberUsageAggregates"
        + "?api-version=2015-06-01-preview&reportedStartTime=2017-06-10T00:00:00"
        + "&reportedEndTime=2017-06-11T00:00:00&aggregationGranularity=Daily&showDetails=false",
      "daily 2017-06-10T00:00:00Z 24 hours of all summed"),
    AzureLine(
      "Get-AzureRmResource",
      "/subscriptions/x/providers/Microsoft.Commerce.Admin/locations/subscriberUsageAggregates"
        + "?reportedStartTime=2018-03-01&reportedEndTime=2018-03-02"
        + "&api-version=2015-06-01-preview", "daily 2018-03-01T00:00:00Z 24 hours of all"),
    AzureLine(
      "HPE's Get-AzsUsageInfo.ps1: an offset and a Z",
      "/subscriptions/x/providers/Microsoft.Commerce/subscriberUsageAggregates"
        + "?api-version=2015-06-01-preview&reportedStartTime=2018-03-01T00%3a00%3a00%2b00%3a00Z"
        + "&reportedEndTime=2018-03-02T00%3a00%3a00%2b00%3a00Z&showDetails=true"
        + "&aggregationGranularity=Daily", "daily 2018-03-01T00:00:00Z 24 hours of all"),
    AzureLine(
      "the documents' own example is no beginning of a day",
      "{t}usageAggregates?reportedStartTime=2015-06-16T18%3a53%3a11%2b00%3a00Z"
        + "&reportedEndTime=2015-06-17T00%3a00%3a00%2b00%3a00Z&aggregationGranularity=daily"
        + "&api-version=2015-06-01-preview", "400 InvalidProperty reportedStartTime"),
  ]

  static let others = [
    AzureLine(
      "C#, billing-dotnet-usage-api",
      "{t}UsageAggregates?api-version=2015-06-01-preview"
        + "&reportedstartTime=2015-03-01+00%3a00%3a00Z&reportedEndTime=2015-05-18+00%3a00%3a00Z",
      "daily 2015-03-01T00:00:00Z 1872 hours of {s}"),
    AzureLine(
      "C#, AzureBillingApi: everything in lower case",
      "{t}UsageAggregates?api-version=2015-06-01-preview&reportedStartTime=2017-06-10T00%3a00%3a00Z"
        + "&reportedEndTime=2017-06-11T00%3a00%3a00Z&aggregationGranularity=hourly&showDetails=false",
      "hourly 2017-06-10T00:00:00Z 24 hours of {s} summed"),
    AzureLine(
      "C#, AzureUsageAndBillingPortal",
      "{t}UsageAggregates?api-version=2015-06-01-preview"
        + "&reportedStartTime=2016-01-01T00%3a00%3a00%2b00%3a00"
        + "&reportedEndTime=2016-01-02T00%3a00%3a00%2b00%3a00&aggregationGranularity=Hourly"
        + "&showDetails=true", "hourly 2016-01-01T00:00:00Z 24 hours of {s}"),
    AzureLine(
      "R, AzureSMR",
      "{t}UsageAggregates?api-version=2015-06-01-preview"
        + "&reportedStartTime=2017-11-29T00%3a00%3a00%2b00%3a00"
        + "&reportedEndTime=2017-11-30T00%3a00%3a00%2b00%3a00&aggregationgranularity=Daily"
        + "&showDetails=TRUE", "daily 2017-11-29T00:00:00Z 24 hours of {s}",
      headers: ["Content-Type: application/json"]),
    AzureLine(
      "Java with okhttp and jackson",
      "{t}UsageAggregates?api-version=2015-06-01-preview"
        + "&reportedStartTime=2018-01-01T00:00:00Z&reportedEndTime=2018-01-02T00:00:00Z"
        + "&aggregationGranularity=Hourly&showDetails=f",
      "hourly 2018-01-01T00:00:00Z 24 hours of {s} summed", headers: ["User-Agent: okhttp/3.9.1"]),
    AzureLine(
      "Ruby, azure-armrest",
      "{t}UsageAggregates?api-version=2015-06-01-preview"
        + "&reportedStartTime=2016-05-01&reportedEndTime=2016-05-02&aggregationGranularity=Daily"
        + "&showDetails=true", "daily 2016-05-01T00:00:00Z 24 hours of {s}"),
    AzureLine(
      "JavaScript, @azure/arm-commerce",
      "{t}UsageAggregates"
        + "?reportedStartTime=2021-04-01T00%3A00%3A00.000Z&reportedEndTime=2021-04-02T00%3A00%3A00.000Z"
        + "&showDetails=true&aggregationGranularity=Daily&api-version=2015-06-01-preview",
      "daily 2021-04-01T00:00:00Z 24 hours of {s}"),
    AzureLine(
      "a date in the American form",
      "{t}UsageAggregates?api-version=2015-06-01-preview"
        + "&reportedStartTime=04%2F01%2F2021&reportedEndTime=04/02/2021",
      "daily 2021-04-01T00:00:00Z 24 hours of {s}"),
  ]

  @Test(arguments: python) func `Python programs are understood`(line: AzureLine) async throws {
    try await line.prove()
  }

  @Test(arguments: powerShell) func `PowerShell programs are understood`(
    line: AzureLine
  ) async throws { try await line.prove() }

  @Test(arguments: others) func `programs in other languages are understood`(
    line: AzureLine
  ) async throws { try await line.prove() }
}
