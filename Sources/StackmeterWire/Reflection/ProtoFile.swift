internal import CStackmeterProto

/// One .proto file as server reflection tells of it.
package struct ProtoFile: Sendable {
  /// The path below proto.
  package let name: String
  /// The encoded `google.protobuf.FileDescriptorProto`.
  package let descriptor: [UInt8]
  /// The names of the files that it imports.
  package let imports: [String]
  /// The full names of its services, methods, messages, fields, enums and values.
  package let symbols: Set<String>

  /// Every file of the contract, each after its imports.
  package static let all: [ProtoFile] = {
    var files: [ProtoFile] = []
    while let file = stackmeter_proto_file(files.count) {
      files.append(ProtoFile(file.pointee))
    }
    return files
  }()

  private init(_ raw: StackmeterProtoFile) {
    name = String(cString: raw.name)
    descriptor = Array(UnsafeBufferPointer(start: raw.descriptor, count: raw.descriptor_size))
    imports = ProtoFile.names(raw.imports)
    symbols = Set(ProtoFile.names(raw.symbols))
  }

  private static func names(_ pointers: UnsafePointer<UnsafePointer<CChar>?>) -> [String] {
    var names: [String] = []
    while let name = pointers[names.count] { names.append(String(cString: name)) }
    return names
  }

  /// The file and what it imports at any depth, each once and before its own imports.
  package var withImports: [ProtoFile] {
    var wanted: Set<String> = [name]
    return ProtoFile.all.reversed().filter { file in
      guard wanted.contains(file.name) else { return false }
      wanted.formUnion(file.imports)
      return true
    }
  }
}
