/// Why a request is not answered as it was asked.
package struct ODataError: Error, Hashable, CustomStringConvertible {
  package enum Kind: Hashable, Sendable {
    /// It is no OData, or speaks of what is not there: 400.
    case invalid
    /// It is OData, but more than this feed answers: 501, which clients take for "do it yourself".
    case unsupported
    /// The client takes no form that the answer has: 406.
    case notAcceptable
  }

  package let kind: Kind
  /// The option or the header field.
  package let target: String
  /// A phrase to follow the name of the target.
  package let message: String

  package init(_ kind: Kind, _ target: String, _ message: String) {
    self.kind = kind
    self.target = target
    self.message = message
  }

  package var description: String { "\(target): \(message)" }
}
