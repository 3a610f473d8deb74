internal import StackmeterCore

/// A column of an entity set.
package struct ODataProperty: Hashable, Sendable {
  package let name: String
  package let kind: ODataValue.Kind
  package let isNullable: Bool
  /// One sentence, for people.
  package let summary: String

  package init(
    _ name: String, _ kind: ODataValue.Kind, isNullable: Bool = false, _ summary: String
  ) {
    self.name = name
    self.kind = kind
    self.isNullable = isNullable
    self.summary = summary
  }
}

/// What the rows of one or several entity sets are.
package struct ODataEntityType: Hashable, Sendable {
  package let name: String
  /// The property that tells one row from all others. Not null.
  package let key: String
  package let properties: [ODataProperty]

  package init(_ name: String, key: String, _ properties: [ODataProperty]) {
    precondition(properties.contains { $0.name == key && !$0.isNullable }, "the key is a property")
    self.name = name
    self.key = key
    self.properties = properties
  }

  /// Where a property is among them; nil where there is none of this name. Case matters.
  package func index(of name: String) -> Int? { properties.firstIndex { $0.name == name } }
}

/// What `/odata/v4/{name}` has.
package struct ODataEntitySet: Hashable, Sendable {
  package let name: String
  package let type: ODataEntityType
  /// One sentence, for people.
  package let summary: String

  package init(_ name: String, of type: ODataEntityType, _ summary: String) {
    self.name = name
    self.type = type
    self.summary = summary
  }
}

/// A read-only feed: its entity sets, and the two documents that describe them.
package struct ODataService: Sendable {
  package static let version = "4.0"

  package let namespace: String
  package let sets: [ODataEntitySet]

  package init(namespace: String, sets: [ODataEntitySet]) {
    self.namespace = namespace
    self.sets = sets
  }

  /// The service document. OData JSON Format 4.0, section 5.
  package func document(root: String) -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("@odata.context", string: "\(root)/$metadata")
      writer.member(
        "value",
        array: { writer in
          for set in sets {
            writer.object { writer in
              writer.member("name", string: set.name)
              writer.member("kind", string: "EntitySet")
              writer.member("url", string: set.name)
            }
          }
        })
    }
    return writer.bytes
  }

  /// The metadata document: CSDL in XML. OData CSDL 4.0, sections 3 to 13.
  package var metadata: [UInt8] {
    var lines = [
      "<?xml version=\"1.0\" encoding=\"utf-8\"?>",
      "<edmx:Edmx Version=\"4.0\" xmlns:edmx=\"http://docs.oasis-open.org/odata/ns/edmx\">",
      // The vocabulary that descriptions are of.
      "<edmx:Reference Uri=\"https://docs.oasis-open.org/odata/odata/v4.0/os/vocabularies/Org.OData.Core.V1.xml\">",
      "<edmx:Include Namespace=\"Org.OData.Core.V1\" Alias=\"Core\"/></edmx:Reference>",
      "<edmx:DataServices>",
      "<Schema Namespace=\"\(namespace)\" xmlns=\"http://docs.oasis-open.org/odata/ns/edm\">",
    ]
    var types: [ODataEntityType] = []
    for set in sets where !types.contains(set.type) { types.append(set.type) }
    for type in types {
      lines.append(
        "<EntityType Name=\"\(type.name)\"><Key><PropertyRef Name=\"\(type.key)\"/></Key>")
      for property in type.properties {
        // As many digits as a quantity has at most: 19 and 18.
        let facets = property.kind == .decimal ? " Precision=\"37\" Scale=\"18\"" : ""
        lines.append(
          "<Property Name=\"\(property.name)\" Type=\"\(property.kind.rawValue)\" "
            + "Nullable=\"\(property.isNullable)\"\(facets)>"
            + ODataService.annotation(property.summary) + "</Property>")
      }
      lines.append("</EntityType>")
    }
    lines.append("<EntityContainer Name=\"Container\">")
    for set in sets {
      lines.append(
        "<EntitySet Name=\"\(set.name)\" EntityType=\"\(namespace).\(set.type.name)\">"
          + ODataService.annotation(set.summary) + "</EntitySet>")
    }
    lines += ["</EntityContainer>", "</Schema>", "</edmx:DataServices>", "</edmx:Edmx>"]
    return Array((lines.joined(separator: "\n") + "\n").utf8)
  }

  private static func annotation(_ text: String) -> String {
    "<Annotation Term=\"Core.Description\" String=\"\(escaped(text))\"/>"
  }

  private static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
      .replacing("\"", with: "&quot;")
  }
}
