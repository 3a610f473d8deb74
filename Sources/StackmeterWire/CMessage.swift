package import CStackmeterProto

/// A struct that protoc-c generated. Its descriptor is reached through its generated initializer, so that the
/// address of a C global is never needed.
package protocol CMessage {
  var base: ProtobufCMessage { get }
  /// The generated `…__init`: sets the descriptor and every field's default.
  static func initialize(_ message: UnsafeMutablePointer<Self>)
}

extension CMessage {
  /// The generated description of the message's fields.
  static var descriptor: UnsafePointer<ProtobufCMessageDescriptor> {
    withUnsafeTemporaryAllocation(of: Self.self, capacity: 1) { buffer in
      Self.initialize(buffer.baseAddress!)
      return buffer[0].base.descriptor
    }
  }
}

extension Stackmeter__V1__Quantity: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__quantity__init(message)
  }
}

extension Stackmeter__V1__Series__TagsEntry: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__series__tags_entry__init(message)
  }
}

extension Stackmeter__V1__Series: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__series__init(message)
  }
}

extension Stackmeter__V1__Caller: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__caller__init(message)
  }
}

extension Stackmeter__V1__GetStatusRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__get_status_request__init(message)
  }
}

extension Stackmeter__V1__UsageEvent: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__usage_event__init(message)
  }
}

extension Stackmeter__V1__ReportRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__report_request__init(message)
  }
}

extension Stackmeter__V1__EventResult: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__event_result__init(message)
  }
}

extension Stackmeter__V1__ReportResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__report_response__init(message)
  }
}

extension Stackmeter__V1__EventBatch: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__event_batch__init(message)
  }
}

extension Stackmeter__V1__PackedEventBatch: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__packed_event_batch__init(message)
  }
}

extension Stackmeter__V1__EventCorrection: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__event_correction__init(message)
  }
}

extension Stackmeter__V1__ResultRange: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__result_range__init(message)
  }
}

extension Stackmeter__V1__BatchResult: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__batch_result__init(message)
  }
}

extension Stackmeter__V1__ReadJournalRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__read_journal_request__init(message)
  }
}

extension Stackmeter__V1__JournalChunk: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__journal_chunk__init(message)
  }
}

extension Stackmeter__V1__ListQuarantineRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__list_quarantine_request__init(message)
  }
}

extension Stackmeter__V1__QuarantineEntry: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__quarantine_entry__init(message)
  }
}

extension Stackmeter__V1__ListQuarantineResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__list_quarantine_response__init(message)
  }
}

extension Stackmeter__V1__QuarantineFilter: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__quarantine_filter__init(message)
  }
}

extension Stackmeter__V1__GetQuarantineEntryRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__get_quarantine_entry_request__init(message)
  }
}

extension Stackmeter__V1__ResolveQuarantineRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__resolve_quarantine_request__init(message)
  }
}

extension Stackmeter__V1__QuarantineResult: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__quarantine_result__init(message)
  }
}

extension Stackmeter__V1__ResolveQuarantineResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__resolve_quarantine_response__init(message)
  }
}

extension Stackmeter__V1__CollectorStatus: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__collector_status__init(message)
  }
}

extension Stackmeter__V1__AggregatorStatus: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__aggregator_status__init(message)
  }
}

extension Stackmeter__V1__RestateRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__restate_request__init(message)
  }
}

extension Stackmeter__V1__RestateResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__restate_response__init(message)
  }
}

extension Stackmeter__V1__RestatedMeter: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__restated_meter__init(message)
  }
}

extension Stackmeter__V1__RestatedUsage: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__restated_usage__init(message)
  }
}

extension Stackmeter__V1__SeriesSelection: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__series_selection__init(message)
  }
}

extension Stackmeter__V1__TagSelection: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__tag_selection__init(message)
  }
}

extension Stackmeter__V1__Grouping: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__grouping__init(message)
  }
}

extension Stackmeter__V1__GroupValue: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__group_value__init(message)
  }
}

extension Stackmeter__V1__ExportUsageRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__export_usage_request__init(message)
  }
}

extension Stackmeter__V1__ExportUsageResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__export_usage_response__init(message)
  }
}

extension Stackmeter__V1__ListUsageRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__list_usage_request__init(message)
  }
}

extension Stackmeter__V1__UsageAggregate: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__usage_aggregate__init(message)
  }
}

extension Stackmeter__V1__ListUsageResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__list_usage_response__init(message)
  }
}

extension Stackmeter__V1__SummarizeRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__summarize_request__init(message)
  }
}

extension Stackmeter__V1__UsageTotal: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__usage_total__init(message)
  }
}

extension Stackmeter__V1__SummarizeResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__summarize_response__init(message)
  }
}

extension Stackmeter__V1__ListMetersRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__list_meters_request__init(message)
  }
}

extension Stackmeter__V1__Meter: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__meter__init(message)
  }
}

extension Stackmeter__V1__ListMetersResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__list_meters_response__init(message)
  }
}

extension Stackmeter__V1__ListWindowsRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__list_windows_request__init(message)
  }
}

extension Stackmeter__V1__ReportingWindow: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__reporting_window__init(message)
  }
}

extension Stackmeter__V1__CellWindow: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__cell_window__init(message)
  }
}

extension Stackmeter__V1__ListWindowsResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__list_windows_response__init(message)
  }
}

extension Stackmeter__V1__FindUsageRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__find_usage_request__init(message)
  }
}

extension Stackmeter__V1__JournaledUsage: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__journaled_usage__init(message)
  }
}

extension Stackmeter__V1__FindUsageResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__find_usage_response__init(message)
  }
}

extension Stackmeter__V1__ExplainRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__explain_request__init(message)
  }
}

extension Stackmeter__V1__ExplainedPart: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__explained_part__init(message)
  }
}

extension Stackmeter__V1__ExplainResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__explain_response__init(message)
  }
}

extension Stackmeter__V1__PipelineStatus: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__pipeline_status__init(message)
  }
}

extension Grpc__Health__V1__HealthCheckRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    grpc__health__v1__health_check_request__init(message)
  }
}

extension Grpc__Health__V1__HealthCheckResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    grpc__health__v1__health_check_response__init(message)
  }
}

extension Grpc__Reflection__V1__ServerReflectionRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    grpc__reflection__v1__server_reflection_request__init(message)
  }
}

extension Grpc__Reflection__V1__ExtensionRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    grpc__reflection__v1__extension_request__init(message)
  }
}

extension Grpc__Reflection__V1__ServerReflectionResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    grpc__reflection__v1__server_reflection_response__init(message)
  }
}

extension Grpc__Reflection__V1__FileDescriptorResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    grpc__reflection__v1__file_descriptor_response__init(message)
  }
}

extension Grpc__Reflection__V1__ListServiceResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    grpc__reflection__v1__list_service_response__init(message)
  }
}

extension Grpc__Reflection__V1__ServiceResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    grpc__reflection__v1__service_response__init(message)
  }
}

extension Grpc__Reflection__V1__ErrorResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    grpc__reflection__v1__error_response__init(message)
  }
}

extension Stackmeter__V1__ConfirmAppliedRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__confirm_applied_request__init(message)
  }
}

extension Stackmeter__V1__ConfirmAppliedResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__confirm_applied_response__init(message)
  }
}

extension Stackmeter__V1__HeartbeatRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__heartbeat_request__init(message)
  }
}

extension Stackmeter__V1__HeartbeatResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__heartbeat_response__init(message)
  }
}

extension Stackmeter__V1__MissingSources: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__missing_sources__init(message)
  }
}

extension Stackmeter__V1__ListSourcesRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__list_sources_request__init(message)
  }
}

extension Stackmeter__V1__Source: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__source__init(message)
  }
}

extension Stackmeter__V1__ListSourcesResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__list_sources_response__init(message)
  }
}

extension Stackmeter__V1__ListSubscriptionsRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__list_subscriptions_request__init(message)
  }
}

extension Stackmeter__V1__Subscription: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__subscription__init(message)
  }
}

extension Stackmeter__V1__ListSubscriptionsResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__list_subscriptions_response__init(message)
  }
}
