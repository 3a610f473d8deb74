package import CStackmeterProto

/// `grpc.health.v1.Health`: which service is asked after; empty for the whole server.
package struct HealthCheckRequest: WireMessage, Hashable {
  package var service: String

  package init(service: String = "") {
    self.service = service
  }

  package init(wire raw: borrowing Grpc__Health__V1__HealthCheckRequest) {
    service = text(raw.service)
  }

  package func fill(_ raw: inout Grpc__Health__V1__HealthCheckRequest, _ packer: borrowing Packer) {
    raw.service = packer.arena.text(service)
  }
}

/// Whether it serves.
package struct HealthCheckResponse: WireMessage, Hashable {
  /// The standard's states, with its numbers.
  package enum Status: UInt32, Sendable {
    case unknown = 0
    case serving = 1
    case notServing = 2
    case serviceUnknown = 3
  }

  package var status: Status

  package init(status: Status) {
    self.status = status
  }

  package init(wire raw: borrowing Grpc__Health__V1__HealthCheckResponse) {
    status = Status(rawValue: UInt32(raw.status.rawValue)) ?? .unknown
  }

  package func fill(_ raw: inout Grpc__Health__V1__HealthCheckResponse, _ packer: borrowing Packer)
  {
    raw.status = Grpc__Health__V1__HealthCheckResponse__ServingStatus(rawValue: status.rawValue)
  }
}
