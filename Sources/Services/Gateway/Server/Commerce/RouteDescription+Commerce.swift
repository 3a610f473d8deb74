internal import HTTPTypes
internal import StackmeterCommerce
internal import StackmeterCore

extension RouteDescription {
  static let commerceUsage = RouteDescription(
    name: "reportSiteUsage",
    summary:
      "Takes a batch of another site's usage, as its bridge sends it. Retrying is always safe: a record counts once.",
    body: Body(
      summary:
        "1 to \(CommerceBatch.recordsMax) records of the site, which is one of the caller's sources.",
      contents: [.json(.commerceBatch)], bytesMax: CommerceBatch.receivedBytesMax),
    answers: [
      Answer(
        .ok, "What became of each record: those that are not counted are in refused.",
        .json(.commerceAnswer)),
      Answer(
        .conflict, "The same, where a record's id is there already with other content.",
        .json(.commerceAnswer)),
    ])
}

extension Schema {
  fileprivate static let commerceBatch = Schema.openObject(
    [
      "batch": .text, "site": .text, "model": .choice(CommerceModel.allCases.map(\.rawValue)),
      "records": .list(
        .openObject(
          [
            "id": .text, "subscription": .text, "meter": .text, "resourceUri": .text,
            "usageStart": .time, "usageEnd": .time, "window": .time, "quantity": .quantity,
          ],
          optional: [
            "revision": .integer(), "customer": .text, "localMeter": .text, "location": .text,
            "tags": .map(.text), "additionalInfo": .text, "cell": .text, "unitPrice": .quantity,
          ]), max: CommerceBatch.recordsMax),
    ])

  fileprivate static let commerceAnswer = Schema.object([
    "batch": .text, "accepted": .integer(), "duplicates": .integer(),
    "refused": .list(.object(["id": .text, "code": .text, "reason": .text])),
  ])
}
