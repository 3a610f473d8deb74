internal import HTTPTypes

/// What `/openapi.json` says of a route, and what its handler may read: both from here, so that neither knows of
/// something that the other does not.
struct RouteDescription: Sendable {
  /// What one answer is. Errors are described by `OpenAPIDocument`, alike for all routes of a surface.
  struct Answer: Sendable {
    let status: HTTPResponse.Status
    let summary: String
    /// Its media types and their forms; none for an answer without a body.
    let contents: [Content]

    init(_ status: HTTPResponse.Status, _ summary: String, _ contents: Content...) {
      self.status = status
      self.summary = summary
      self.contents = contents
    }
  }

  /// A body's media type and form.
  struct Content: Sendable {
    let type: String
    let schema: Schema

    static func json(_ schema: Schema) -> Content {
      Content(type: "application/json", schema: schema)
    }
  }

  /// What a request may carry.
  struct Body: Sendable {
    let summary: String
    let contents: [Content]
    /// The most bytes that are taken, after decoding.
    let bytesMax: Int
    var isNeeded = true
  }

  /// The operation's id: lower camel case, unique.
  let name: String
  /// One line, for people.
  let summary: String
  /// What `{id}` of the path is.
  var pathValue = ""
  var parameters: [Parameter] = []
  /// Header fields that change the answer.
  var headers: [Parameter] = []
  var body: Body?
  var answers: [Answer] = []
  /// Errors beside those that every route of its kind has.
  var problems: [HTTPResponse.Status] = []

  /// For a route that nobody described yet. A test names each.
  static let none = RouteDescription(name: "", summary: "")
}
