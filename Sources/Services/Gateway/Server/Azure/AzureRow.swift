internal import StackmeterCore

extension JSONWriter {
  /// One row in the shape and member order of real Azure Stack answers.
  ///
  /// `id` and `name` are those of subscriber and meter, so many rows share them. Without details a row has no
  /// `instanceData`.
  mutating func azureRow(_ aggregate: UsageAggregate, caller: String, showsDetails: Bool) {
    let series = aggregate.series
    let name = "\(series.subscription)-\(series.meter)"
    object { writer in
      writer.member(
        "id",
        string: "/subscriptions/\(caller)/providers/Microsoft.Commerce/UsageAggregate/\(name)")
      writer.member("name", string: name)
      writer.member("type", string: "Microsoft.Commerce/UsageAggregate")
      writer.member(
        "properties",
        object: { writer in
          writer.member("subscriptionId", string: series.subscription)
          writer.member("usageStartTime", string: aggregate.usageStart.azureText)
          writer.member("usageEndTime", string: aggregate.usageEnd.azureText)
          if showsDetails {
            writer.member("instanceData", string: series.azureInstanceData)
          }
          writer.member("quantity", raw: aggregate.quantity.azureText)
          writer.member("meterId", string: series.meter)
          writer.member("name", string: name)
        })
    }
  }
}

extension Quantity {
  /// A JSON number that no client takes for an integer in one row and for a fraction in the next: whole ones are
  /// `1.0`, as Azure writes them. All digits, and no exponent.
  fileprivate var azureText: String {
    remainingAttos == 0 ? "\(description).0" : description
  }
}

extension Series {
  /// A text of JSON, in which tags and additional info are texts again.
  fileprivate var azureInstanceData: String {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member(
        "Microsoft.Resources",
        object: { writer in
          writer.member("resourceUri", string: azureResourceURI)
          writer.member("location", string: resource.location)
          writer.member("tags", string: resource.tags)
          writer.member("additionalInfo", string: resource.additionalInfo)
        })
    }
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  /// Byte for byte what the resource provider said, where that is an id of Azure's form. Scripts take such an id
  /// apart by its slashes, so whatever else a provider calls its resource becomes the name in one.
  private var azureResourceURI: String {
    let prefix = "/subscriptions/"
    if String(decoding: resource.uri.utf8.prefix(prefix.utf8.count), as: UTF8.self).asciiLowercased
      == prefix
    {
      return resource.uri
    }
    return "/subscriptions/\(subscription)/resourceGroups/none/providers/Stackmeter/resources/"
      + percentEncoded(resource.uri)
  }
}
