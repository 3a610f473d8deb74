internal import StackmeterCore

/// The file that goes with FOCUS files and says what their columns are.
package enum FocusMetadata {
  /// Another one whenever a column changes, so that a reader sees it.
  package static func schemaID(_ form: FocusForm) -> String {
    form == .focus ? "stackmeter-focus-1.2-a" : "stackmeter-focus-1.2-a-validator-1.0.0"
  }

  /// When the columns were made what they are.
  private static let created = "2026-11-30T00:00:00Z"

  /// - Parameter generator: The version of what writes the files.
  package static func json(_ form: FocusForm = .focus, generator: String) -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("SchemaId", string: schemaID(form))
      writer.member("FocusVersion", string: "1.2")
      writer.member("CreationDate", string: created)
      writer.member("DataGenerator", string: "Stackmeter")
      writer.member("DataGeneratorVersion", string: generator)
      writer.member(
        "ColumnDefinition",
        array: { writer in
          for column in FocusColumn.allCases {
            writer.column(column.rawValue, column.dataType)
          }
          for shim in form.shims { writer.column(shim.name, .text) }
        })
    }
    return writer.bytes + [0x0A]
  }
}

extension JSONWriter {
  fileprivate mutating func column(_ name: String, _ type: FocusColumn.DataType) {
    object { writer in
      writer.member("ColumnName", string: name)
      switch type {
      case .text:
        writer.member("DataType", string: "STRING")
        writer.member("StringEncoding", string: "UTF-8")
      case .dateTime: writer.member("DataType", string: "DATETIME")
      case .json: writer.member("DataType", string: "JSON")
      case .decimal(let precision, let scale):
        writer.member("DataType", string: "DECIMAL")
        writer.member("NumericPrecision", precision)
        writer.member("NumberScale", scale)
      }
    }
  }
}
