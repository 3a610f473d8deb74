import StackmeterCore
import StackmeterWebhooks
import Testing

@Suite struct WebhookTests {
  private static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
  private static let id = "msg_p5jXN8AQM9LWM0D4loKWxJek"

  private func secret(_ text: String = secret) throws -> WebhookSecret {
    try #require(WebhookSecret(text))
  }

  private func signature(_ webhook: Webhook, _ secrets: [WebhookSecret]) -> String {
    webhook.headers(secrets).first { $0.name == "webhook-signature" }?.value ?? ""
  }

  /// The example of Standard Webhooks.
  @Test func `the published example has the published signature`() throws {
    let webhook = Webhook(
      id: Self.id, sent: Instant(seconds: 1_614_265_330), body: Array(#"{"test": 2432232314}"#.utf8)
    )
    let headers = webhook.headers([try secret()])
    #expect(headers.map(\.name) == ["webhook-id", "webhook-timestamp", "webhook-signature"])
    #expect(
      headers.map(\.value) == [
        Self.id, "1614265330", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
      ])
  }

  /// Computed by another implementation of HMAC, Python's.
  @Test(arguments: [
    ("a", 0, "", "v1,ZyVG66Mr75yBcUDUg3OFSwOBLDdB73ytHZQLL4wzqLI="),
    (
      "platform/2026-12/actual-80", 1_798_761_600, "{\"é\":\"\u{1F600}\"}",
      "v1,9XuFs2AwiKej95egh9E+BtQ40JqEmX+7RbJsAjkpEaU="
    ),
  ])
  func `other messages have the signatures that others compute`(
    id: String, seconds: Int64, body: String, expected: String
  ) throws {
    let webhook = Webhook(id: id, sent: Instant(seconds: seconds), body: Array(body.utf8))
    #expect(signature(webhook, [try secret()]) == expected)
  }

  @Test func `each secret makes a signature, and each part of the message changes it`() throws {
    let sent = Instant(seconds: 1_614_265_330)
    let other = try secret("whsec_" + Base64.text((0..<64).map { UInt8($0) }))
    let webhook = Webhook(id: "a", sent: sent, body: [1])
    let both = signature(webhook, [try secret(), other])
    #expect(
      both == "\(signature(webhook, [try secret()])) \(signature(webhook, [other]))")
    let signatures = Set(
      [
        webhook, Webhook(id: "b", sent: sent, body: [1]), Webhook(id: "a", sent: sent, body: [2]),
        Webhook(id: "a", sent: sent.advanced(by: .seconds(1)), body: [1]),
      ].map { signature($0, [other]) })
    #expect(signatures.count == 4)
  }

  @Test func `a part of a second does not count`() {
    #expect(
      Webhook(id: "a", sent: Instant(nanoseconds: 1_999_999_999), body: []).timestamp == 1)
  }

  @Test func `an id stays unique and can stand in a header`() {
    for (id, header) in [
      ("platform/2026-12/actual-80", "platform/2026-12/actual-80"), ("a.b", "a%2Eb"),
      ("a%2Eb", "a%252Eb"), ("a\r\nb: é", "a%0D%0Ab%3A%20%C3%A9"),
    ] {
      #expect(Webhook(id: id, sent: Instant(seconds: 0), body: []).id == header)
    }
  }

  @Test(arguments: [23, 24, 64, 65])
  func `a secret has 24 to 64 bytes`(count: Int) {
    let text = Base64.text([UInt8](repeating: 7, count: count))
    let isSecret = WebhookSecret.byteCounts.contains(count)
    #expect((WebhookSecret(text) != nil) == isSecret)
    #expect((WebhookSecret("whsec_" + text) != nil) == isSecret)
  }

  @Test(arguments: ["", "whsec_", "whsec_*", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "not base64"])
  func `what is no secret is refused`(text: String) {
    #expect(WebhookSecret(text) == nil)
  }

  @Test func `a secret does not tell itself`() throws {
    #expect("\(try secret())" == "a webhook secret")
  }
}
