internal import HTTPTypes
internal import StackmeterCore

/// What Azure's scripts and tools ask about the cloud itself: `/metadata/endpoints` and the operations of the
/// commerce provider.
struct AzureMetadata: Sendable {
  let links: GatewayLinks
  /// Whose tokens are taken; nil where only API keys are.
  let tokens: TokenRules?

  /// Where everything is. Asked before there is a token, so it says nothing but the address that was asked, and who
  /// issues tokens for it.
  ///
  /// Where nobody does, a token is made by `stackmeter token`. There is no gallery and no portal either: scripts
  /// only need that the members are there.
  func endpoints(_ request: GatewayRequest) throws -> Reply {
    _ = try AzureParameters(request)
    let base = "\(links.base(request))/"
    return Reply { writer in
      for name in ["galleryEndpoint", "graphEndpoint", "portalEndpoint"] {
        writer.member(name, string: base)
      }
      writer.member(
        "authentication",
        object: { writer in
          writer.member("loginEndpoint", string: tokens?.issuer ?? base)
          writer.member("audiences", array: { $0.string(tokens?.audience ?? base) })
        })
    }
  }

  /// What can be done, in the form in which roles name it. Only what is served.
  func operations(_ request: GatewayRequest) throws -> Reply {
    _ = try AzureParameters(request)
    return Reply { writer in
      writer.member(
        "value",
        array: { writer in
          writer.operation(
            "Microsoft.Commerce.Admin/operations/read", "Operations", "Read operations",
            "Lists the operations of the provider")
          writer.operation(
            "Microsoft.Commerce.Admin/subscriberUsageAggregates/read", "SubscriberUsageAggregates",
            "Read subscriber usage aggregates", "Lists the usage of direct tenants")
          writer.operation(
            "Microsoft.Commerce/UsageAggregates/read", "UsageAggregates", "Read usage aggregates",
            "Lists the usage of a subscription")
        })
    }
  }

  /// Refused: nothing here is encrypted by a configuration that could be updated, and an answer of success would
  /// say that it is.
  func updateEncryption(_ request: GatewayRequest) throws -> Reply {
    _ = try AzureParameters(request)
    throw HTTPProblem(
      .badRequest, "OperationNotSupported",
      "usage is stored without encryption of its own; encrypt the file system that it is on")
  }
}

extension JSONWriter {
  fileprivate mutating func operation(
    _ name: String, _ resource: String, _ operation: String, _ description: String
  ) {
    object { writer in
      writer.member("name", string: name)
      writer.member("isDataAction", false)
      writer.member(
        "display",
        object: { writer in
          writer.member("provider", string: "Microsoft Commerce Service")
          writer.member("resource", string: resource)
          writer.member("operation", string: operation)
          writer.member("description", string: description)
        })
    }
  }
}
