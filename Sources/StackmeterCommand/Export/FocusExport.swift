internal import QueryClient
internal import StackmeterCore
internal import StackmeterRating
internal import StackmeterWire

/// Writes the statements of a billing period as a file of FOCUS, and what its columns are beside it.
struct FocusExport {
  let file: ExportFile
  let question: ExportFocusRequest

  func run(_ options: SettingsOptions) async throws {
    try await reportingFailure {
      let settings = try options.settings()
      try await withService("query", of: settings) { channel in
        let query = QueryClient(channel)
        var output = try file.open(question.packed())
        var request = question
        var answer: ExportFocusResponse
        repeat {
          request.pageToken = output.token
          answer = try await query.exportFocus(request)
          try output.append(answer.data, next: answer.nextPageToken)
        } while !answer.nextPageToken.isEmpty
        try output.finish()
        let metadata = ExportFile(path: file.path + ".metadata.json", isCompressed: false)
        var columns = try metadata.open([])
        try columns.append(
          FocusMetadata.json(question.version == "1.0" ? .validator : .focus, generator: "1"),
          next: "")
        try columns.finish()
        StandardStream.error.write(
          "\(terminalText(file.path)): \(answer.rows) rows of \(question.period)\n")
      }
    }
  }
}
