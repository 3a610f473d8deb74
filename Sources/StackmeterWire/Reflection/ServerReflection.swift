package import CStackmeterProto

/// `grpc.reflection.v1.ServerReflection`: one question about the services of a server.
package struct ServerReflectionRequest: WireMessage, Hashable {
  package enum Question: Hashable, Sendable {
    case file(name: String)
    case fileDeclaring(symbol: String)
    case fileExtending(type: String, number: Int32)
    case extensionNumbers(type: String)
    /// The text has no meaning.
    case services(String)
  }

  package var host: String
  /// Nil where none is asked, or one of a later standard.
  package var question: Question?

  package init(host: String = "", _ question: Question?) {
    self.host = host
    self.question = question
  }

  package init(wire raw: borrowing Grpc__Reflection__V1__ServerReflectionRequest) {
    host = text(raw.host)
    switch raw.message_request_case {
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
      question = .file(name: text(raw.file_by_filename))
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
      question = .fileDeclaring(symbol: text(raw.file_containing_symbol))
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION:
      question = raw.file_containing_extension.map {
        .fileExtending(type: text($0.pointee.containing_type), number: $0.pointee.extension_number)
      }
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
      question = .extensionNumbers(type: text(raw.all_extension_numbers_of_type))
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
      question = .services(text(raw.list_services))
    default:
      question = nil
    }
  }

  package func fill(
    _ raw: inout Grpc__Reflection__V1__ServerReflectionRequest, _ packer: borrowing Packer
  ) {
    raw.host = packer.arena.text(host)
    switch question {
    case .file(let name):
      raw.message_request_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME
      raw.file_by_filename = packer.arena.text(name)
    case .fileDeclaring(let symbol):
      raw.message_request_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL
      raw.file_containing_symbol = packer.arena.text(symbol)
    case .fileExtending(let type, let number):
      raw.message_request_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION
      raw.file_containing_extension = packer.arena.message { raw in
        raw.containing_type = packer.arena.text(type)
        raw.extension_number = number
      }
    case .extensionNumbers(let type):
      raw.message_request_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE
      raw.all_extension_numbers_of_type = packer.arena.text(type)
    case .services(let ignored):
      raw.message_request_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES
      raw.list_services = packer.arena.text(ignored)
    case nil:
      break
    }
  }
}

/// The answer to one question.
package struct ServerReflectionResponse: WireMessage, Hashable {
  package enum Answer: Hashable, Sendable {
    /// Encoded `google.protobuf.FileDescriptorProto`s.
    case files([[UInt8]])
    /// Full names.
    case services([String])
    /// `code` is a status code of gRPC.
    case error(code: Int32, message: String)
  }

  package var originalRequest: ServerReflectionRequest
  /// Nil where there is none, or one that our servers never give: the numbers of extensions.
  package var answer: Answer?

  package init(to request: ServerReflectionRequest, _ answer: Answer?) {
    originalRequest = request
    self.answer = answer
  }

  package init(wire raw: borrowing Grpc__Reflection__V1__ServerReflectionResponse) throws(WireError)
  {
    originalRequest =
      raw.original_request.map { ServerReflectionRequest(wire: $0.pointee) }
      ?? ServerReflectionRequest(nil)
    switch raw.message_response_case {
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE:
      answer = raw.file_descriptor_response.map {
        .files(
          column($0.pointee.file_descriptor_proto, $0.pointee.n_file_descriptor_proto).map(bytes))
      }
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE:
      answer = try raw.list_services_response.map { (list) throws(WireError) in
        .services(try elements(list.pointee.service, list.pointee.n_service) { text($0.name) })
      }
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE:
      answer = raw.error_response.map {
        .error(code: $0.pointee.error_code, message: text($0.pointee.error_message))
      }
    default:
      answer = nil
    }
  }

  package func fill(
    _ raw: inout Grpc__Reflection__V1__ServerReflectionResponse, _ packer: borrowing Packer
  ) {
    raw.valid_host = packer.arena.text(originalRequest.host)
    raw.original_request = packer.arena.message { originalRequest.fill(&$0, packer) }
    switch answer {
    case .files(let files):
      raw.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE
      raw.file_descriptor_response = packer.arena.message { raw in
        raw.n_file_descriptor_proto = files.count
        raw.file_descriptor_proto = packer.arena.column(files.map { packer.arena.bytes($0) })
      }
    case .services(let services):
      raw.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE
      raw.list_services_response = packer.arena.message { raw in
        raw.n_service = services.count
        raw.service = packer.arena.messages(services) { $1.name = packer.arena.text($0) }
      }
    case .error(let code, let message):
      raw.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE
      raw.error_response = packer.arena.message { raw in
        raw.error_code = code
        raw.error_message = packer.arena.text(message)
      }
    case nil:
      break
    }
  }
}
