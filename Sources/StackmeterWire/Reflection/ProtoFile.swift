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

  /// Every file of the contract.
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

  /// The file and what it imports at any depth, each once.
  package var withImports: [ProtoFile] {
    var files = [self]
    var next = 0
    while next < files.count {
      for name in files[next].imports where !files.contains(where: { $0.name == name }) {
        files += ProtoFile.all.filter { $0.name == name }
      }
      next += 1
    }
    return files
  }
}
