package import StackmeterRuntime
package import StackmeterWebhooks

/// A file with the secret of a webhook on a line, or with two while one replaces the other.
package struct WebhookSecretFile: Sendable {
  private static let bytesMax = 4096
  private static let countMax = 2

  private let path: String

  package init(path: String) {
    self.path = path
  }

  /// What the file has now, one at least.
  package func secrets() throws(SettingsError) -> [WebhookSecret] {
    let content: [UInt8]
    do throws(FileReadError) {
      content = try fileContent(path, bytesMax: WebhookSecretFile.bytesMax)
    } catch {
      throw SettingsError(problems: ["the secret of webhooks: \(error)"])
    }
    let words = String(decoding: content, as: UTF8.self).split(whereSeparator: \.isWhitespace)
    let secrets = words.compactMap { WebhookSecret(String($0)) }
    guard (1...WebhookSecretFile.countMax).contains(words.count), secrets.count == words.count
    else {
      throw SettingsError(problems: [
        "\(path) must have one secret, or two: \(WebhookSecret.prefix) and "
          + "\(WebhookSecret.byteCounts.lowerBound) to \(WebhookSecret.byteCounts.upperBound) bytes as base64"
      ])
    }
    return secrets
  }
}
