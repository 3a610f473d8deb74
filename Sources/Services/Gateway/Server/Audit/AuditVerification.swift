internal import Glibc
internal import StackmeterCore
internal import StackmeterRuntime

/// What the lines of an audit log say of each other.
package struct AuditVerification: Hashable, Sendable {
  package private(set) var lineCount = 0
  /// One sentence for each line that was changed, moved or taken away; empty where the log is whole.
  package private(set) var problems: [String] = []

  private var first: AuditLine?
  private var last: AuditLine?
  /// What stands in front of the next line cannot be trusted, so only its number is compared.
  private var isBroken = false

  /// Reads all files of a log.
  package init(directory: String) throws(AuditError) {
    let files = AuditFiles(directory: directory)
    for path in try files.all() {
      let content: [UInt8]
      do {
        content = try fileContent(path, bytesMax: 1 << 30)
      } catch {
        throw AuditError(description: "the audit log: \(error)")
      }
      let name = path.split(separator: "/").last.map(String.init) ?? path
      var number = 0
      for text in content.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        .dropLast()
      {
        number += 1
        check(text, "\(name), line \(number)")
      }
      if let end = content.last, end != UInt8(ascii: "\n") {
        problems.append("\(name), line \(number + 1): it is cut off")
      }
    }
    checkEnds(files.readHead())
  }

  private mutating func check(_ text: ArraySlice<UInt8>, _ place: String) {
    lineCount += 1
    guard let line = AuditLine(text) else {
      problems.append("\(place): it was changed: it has not the form of a line")
      isBroken = true
      return
    }
    guard let last else {
      // Older files may have been removed in order, so the first line may follow one that is gone.
      if line.sequence == 1, !line.follows(AuditLine.noHash), !isBroken {
        problems.append("\(place): the entry 1 was changed: its hash is not that of its content")
      }
      (first, self.last) = (line, line)
      isBroken = false
      return
    }
    guard line.sequence > last.sequence else {
      problems.append(
        "\(place): the entry \(line.sequence) stands behind \(last.sequence): it was moved or repeated"
      )
      isBroken = true
      return
    }
    if line.sequence > last.sequence + 1, !isBroken {
      let (from, to) = (last.sequence + 1, line.sequence - 1)
      problems.append(
        "\(place): in front of it "
          + (from == to ? "the entry \(from) is" : "the entries \(from) to \(to) are") + " missing")
    } else if line.sequence == last.sequence + 1, !isBroken, !line.follows(last.hash) {
      problems.append(
        "\(place): the entry \(line.sequence) was changed: its hash is not that of its content")
    }
    isBroken = false
    self.last = line
  }

  /// What the head says must be there at the beginning and at the end.
  private mutating func checkEnds(_ head: AuditHead?) {
    guard let head else {
      if last != nil { problems.append("head: it is missing, so lines may be missing at the end") }
      return
    }
    guard let last else {
      problems.append("the entries \(head.first) to \(head.last) are missing")
      return
    }
    if let first, first.sequence > head.first {
      problems.append(
        "at the beginning the entries \(head.first) to \(first.sequence - 1) are missing")
    }
    if last.sequence < head.last {
      problems.append("at the end the entries \(last.sequence + 1) to \(head.last) are missing")
    } else if last.sequence == head.last, last.hash != head.hash {
      problems.append("the entry \(head.last), the last one, was changed: head has another hash")
    }
  }
}
