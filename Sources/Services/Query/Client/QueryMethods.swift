package import StackmeterRPC
package import StackmeterWire

/// The methods of `stackmeter.v1.Query`.
package enum QueryMethods {
  package static let service = "stackmeter.v1.Query"
  package static let listUsage = RPCMethod<ListUsageRequest, ListUsageResponse>(
    service, "ListUsage")
  package static let summarize = RPCMethod<SummarizeRequest, SummarizeResponse>(
    service, "Summarize")
  package static let exportUsage = RPCMethod<ExportUsageRequest, ExportUsageResponse>(
    service, "ExportUsage")
  package static let listMeters = RPCMethod<ListMetersRequest, ListMetersResponse>(
    service, "ListMeters")
  package static let listWindows = RPCMethod<ListWindowsRequest, ListWindowsResponse>(
    service, "ListWindows")
  package static let listSubscriptions = RPCMethod<
    ListSubscriptionsRequest, ListSubscriptionsResponse
  >(service, "ListSubscriptions")
  package static let listSources = RPCMethod<ListSourcesRequest, ListSourcesResponse>(
    service, "ListSources")
  package static let explain = RPCMethod<ExplainRequest, ExplainResponse>(service, "Explain")
  package static let getStatus = RPCMethod<GetStatusRequest, PipelineStatus>(service, "GetStatus")
}
