internal import StackmeterCore

/// Why a text is no set of keys.
struct VerificationKeysError: Error, Equatable, CustomStringConvertible {
  let description: String
}

/// The usable keys of a JSON Web Key Set (RFC 7517), by their ids.
struct VerificationKeys: Sendable {
  private var keys: [ExactText: VerificationKey] = [:]
  /// One sentence for each key that is not used.
  private(set) var problems: [String] = []

  var count: Int { keys.count }

  /// Reads `{"keys": […]}`. A key that cannot be used is left out, as RFC 7517 wants; so are all keys of an id that
  /// stands twice, because it would be open which of them a token means.
  init(json bytes: [UInt8]) throws(VerificationKeysError) {
    let root: JSONValue
    do {
      root = try JSONValue(parsing: bytes, limits: TokenLimits.keySetJSON)
    } catch {
      throw VerificationKeysError(description: error.description)
    }
    guard let list = JSONObject(root, path: "")?["keys"]?.array else {
      throw VerificationKeysError(description: "keys: must be an array of keys")
    }
    guard list.count <= TokenLimits.keysMax else {
      throw VerificationKeysError(
        description: "keys: has \(list.count); at most \(TokenLimits.keysMax) are taken")
    }
    var seen: Set<ExactText> = []
    for (index, element) in list.enumerated() {
      guard let object = JSONObject(element, path: "keys[\(index)]"),
        let id = object["kid"]?.string, (1...TokenLimits.keyIDBytesMax).contains(id.utf8.count)
      else {
        problems.append(
          "keys[\(index)]: must be an object with a kid of 1 to \(TokenLimits.keyIDBytesMax) bytes")
        continue
      }
      guard seen.insert(ExactText(id)).inserted else {
        problems.append("keys[\(index)]: its kid \"\(id)\" stands twice, so none of them is used")
        keys[ExactText(id)] = nil
        continue
      }
      do throws(VerificationKey.Unusable) {
        keys[ExactText(id)] = try VerificationKey(object)
      } catch {
        problems.append("keys[\(index)]: \"\(id)\" is not used: \(error.problem)")
      }
    }
  }

  /// The key of an id, compared byte for byte.
  subscript(id: String) -> VerificationKey? { keys[ExactText(id)] }
}
