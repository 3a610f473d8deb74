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
  package static let getStatus = RPCMethod<GetStatusRequest, CollectorStatus>(service, "GetStatus")
}
