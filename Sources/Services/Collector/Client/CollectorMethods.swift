package import StackmeterCore
package import StackmeterRPC
package import StackmeterWire

/// The methods of `stackmeter.v1.Collector`.
package enum CollectorMethods {
  package static let service = "stackmeter.v1.Collector"
  package static let report = RPCMethod<ReportRequest, ReportResponse>(service, "Report")
  package static let reportStream = RPCMethod<NumberedBatch, BatchResult>(service, "ReportStream")
  package static let readJournal = RPCMethod<ReadJournalRequest, JournalChunk>(
    service, "ReadJournal")
  package static let listQuarantine = RPCMethod<ListQuarantineRequest, ListQuarantineResponse>(
    service, "ListQuarantine")
  package static let confirmApplied = RPCMethod<ConfirmAppliedRequest, ConfirmAppliedResponse>(
    service, "ConfirmApplied")
  package static let getQuarantineEntry = RPCMethod<GetQuarantineEntryRequest, QuarantineEntry>(
    service, "GetQuarantineEntry")
  package static let redriveQuarantine = RPCMethod<
    ResolveQuarantineRequest, ResolveQuarantineResponse
  >(service, "RedriveQuarantine")
  package static let discardQuarantine = RPCMethod<
    ResolveQuarantineRequest, ResolveQuarantineResponse
  >(service, "DiscardQuarantine")
  package static let heartbeat = RPCMethod<HeartbeatRequest, HeartbeatResponse>(
    service, "Heartbeat")
  package static let findUsage = RPCMethod<FindUsageRequest, FindUsageResponse>(
    service, "FindUsage")
  package static let getStatus = RPCMethod<GetStatusRequest, CollectorStatus>(service, "GetStatus")
}
