import Testing

@Suite struct SourceStyleTests {
  /// Records an issue with file and line for each line of `files` that `rule` names a fault of.
  private func check(
    _ files: [String], _ rule: (_ line: String, _ previous: String) -> String?
  ) throws {
    for path in files {
      var previous = ""
      for (index, line) in try SourceTree.lines(path).enumerated() {
        if let fault = rule(line, previous) { Issue.record("\(path):\(index + 1): \(fault)") }
        previous = line
      }
    }
  }

  /// Swift files below Sources, without those of `modules`.
  private func sources(except modules: Set<String> = []) throws -> [String] {
    try SourceTree.files(below: "Sources", suffix: ".swift")
      .filter { !modules.contains(SourceTree.module(of: $0)) }
  }

  private func allSwift() throws -> [String] {
    try sources() + SourceTree.files(below: "Tests", suffix: ".swift")
  }

  @Test func `no line is longer than 120 columns`() throws {
    try check(allSwift()) { line, _ in
      line.unicodeScalars.count > 120 ? "\(line.unicodeScalars.count) columns" : nil
    }
  }

  @Test func `nothing is left to do`() throws {
    // Spelled in two parts, so that this file holds none of them.
    let marks = ["TO" + "DO", "FIX" + "ME", "XX" + "X"]
    try check(allSwift()) { line, _ in
      // A template for mkstemp is a run of this letter, and no mark.
      let words = line.split { !$0.isLetter }.map(String.init)
      return marks.first { words.contains($0) }.map { "\($0) is left behind" }
    }
  }

  @Test func `only the command line prints`() throws {
    try check(sources(except: ["stackmeter"])) { line, _ in
      calls("print", in: line) ? "print is for the command line; log instead" : nil
    }
  }

  @Test func `nothing but a test stops the program in place of an error`() throws {
    try check(sources(except: ["StackmeterTesting"])) { line, _ in
      if code(line).contains("try!") { return "try! hides an error" }
      return calls("fatalError", in: line) ? "fatalError says too little; use precondition" : nil
    }
  }

  @Test func `every unchecked promise has its reason above it`() throws {
    try check(sources()) { line, previous in
      guard
        code(line).contains("@unchecked Sendable") || code(line).contains("nonisolated(unsafe)"),
        !previous.drop(while: { $0 == " " }).hasPrefix("//")
      else { return nil }
      return "an unchecked promise needs a comment directly above it that says why it holds"
    }
  }

  @Test func `no file is a drawer for everything`() throws {
    for path in try allSwift() {
      let name = path.split(separator: "/").last ?? ""
      for drawer in ["Utils", "Utilities", "Helper", "Manager", "Misc"] where name.contains(drawer)
      {
        Issue.record("\(path): name the file for the one thing that it holds")
      }
    }
  }

  @Test func `nothing is public`() throws {
    try check(sources()) { line, _ in
      let words = code(line).split { !($0.isLetter || $0 == "(") }
      return words.contains("public") || words.contains("open") && words.contains("class")
        ? "nothing here is a library for strangers; use package" : nil
    }
  }

  @Test func `usage never goes through a floating point number`() throws {
    let exact: Set<String> = [
      "StackmeterCore", "StackmeterRating", "StackmeterOData", "StackmeterWire",
      "StackmeterJournal",
      "StackmeterStore",
    ]
    let files = try sources().filter {
      exact.contains(SourceTree.module(of: $0)) || $0.hasPrefix("Sources/Services/")
    }
    try check(files) { line, _ in
      let words = code(line).split { !($0.isLetter || $0.isNumber || $0 == "_") }
      return ["Double", "Float", "Float32", "Float64", "CGFloat", "TimeInterval"]
        .first { words.contains($0) }.map { "\($0) is not exact" }
    }
  }

  /// The line without its comment. A `//` inside of a text counts as one too.
  private func code(_ line: String) -> String {
    line.firstRange(of: "//").map { String(line[..<$0.lowerBound]) } ?? line
  }

  /// Whether the line calls the free function `name`.
  private func calls(_ name: String, in line: String) -> Bool {
    let code = code(line)
    return code.ranges(of: name + "(").contains { range in
      guard let before = code[..<range.lowerBound].last else { return true }
      return !(before.isLetter || before.isNumber || before == "_" || before == ".")
    }
  }
}
