internal import HTTPTypes
internal import StackmeterCore

/// An event in CloudEvents' binary mode: its attributes are headers, the body is its data.
enum BinaryEvent {
  /// The event as its JSON format has it. Throws where a header or the body cannot be read at all.
  static func value(_ headers: HTTPFields, _ body: [UInt8]) throws(HTTPProblem) -> JSONValue {
    var members: [JSONValue.Member] = []
    for field in headers where field.name.isCloudEventAttribute {
      let header = field.name.canonicalName
      let name = String(header.dropFirst(HTTPField.Name.cloudEventPrefix.utf8.count))
      func malformed(_ message: String) -> HTTPProblem {
        HTTPProblem(
          .badRequest, Refusal.Reason.malformed.name, "\(header): \(message)",
          fields: [.init(field: header, message: message)])
      }
      guard !name.isEmpty, name.utf8.allSatisfy(isAttributeByte) else {
        throw malformed("an attribute's name has lower-case letters and digits only")
      }
      guard !["data", "datacontenttype"].contains(name) else {
        throw malformed("must not stand: the body is the data, and Content-Type says what it is")
      }
      guard !members.contains(where: { $0.name == name }) else {
        throw malformed("stands more than once")
      }
      guard let text = unquoted(field.value).flatMap({ percentDecoded($0, plusIsSpace: false) })
      else {
        throw malformed(
          "must be printable ASCII, anything else as percent-encoded UTF-8, such as %C3%A9")
      }
      members.append(.init(name: name, value: .string(text)))
    }
    if !body.isEmpty {
      do throws(JSONError) {
        members.append(.init(name: "data", value: try JSONValue(parsing: body, limits: .event)))
      } catch {
        throw HTTPProblem(.badRequest, "Malformed", error.description)
      }
    }
    return .object(members)
  }

  private static func isAttributeByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
    default: false
    }
  }

  /// The value without quotation marks, which older libraries put around parts of it; a backslash there stands for
  /// the character after it. Nil where a quotation does not end, or a character is not printable ASCII.
  private static func unquoted(_ value: String) -> Substring? {
    var bytes: [UInt8] = []
    var isQuoted = false
    var rest = value.utf8[...]
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "\""): isQuoted.toggle()
      case UInt8(ascii: "\\") where isQuoted:
        guard let next = rest.popFirst(), (0x20..<0x7F).contains(next) else { return nil }
        bytes.append(next)
      case 0x20..<0x7F: bytes.append(byte)
      default: return nil
      }
    }
    return isQuoted ? nil : Substring(String(decoding: bytes, as: UTF8.self))
  }
}

extension HTTPField.Name {
  static let cloudEventPrefix = "ce-"

  var isCloudEventAttribute: Bool { canonicalName.hasPrefix(Self.cloudEventPrefix) }
}
