internal import StackmeterCore
internal import StackmeterStore
internal import StackmeterWire

/// Where the next part of an export begins, and what was fixed by the first one.
struct ExportCursor: Equatable {
  var place: UsageCursor
  /// The windows of the whole file.
  var windows: Range<Hour>
  /// The records of usage so far.
  var rows: UInt64
}

/// Makes and reads the page tokens of exports, see `TokenProof`: version 3 and seven 64-bit numbers.
struct ExportTokens {
  private static let version: UInt8 = 3
  private static let byteCount = 57

  private let proof: TokenProof

  init(key: [UInt8]) {
    proof = TokenProof(key: key)
  }

  func token(for cursor: ExportCursor, of request: ExportUsageRequest) -> String {
    var content = [ExportTokens.version]
    let place = cursor.place
    for number in [
      place.window, place.cell, place.series, place.usage, cursor.windows.lowerBound.index,
      cursor.windows.upperBound.index, Int64(bitPattern: cursor.rows),
    ] {
      content.append(number: number)
    }
    return proof.token(content, of: question(request))
  }

  /// Nil where the token is not one that was given to this caller for this question.
  func cursor(_ token: String, of request: ExportUsageRequest) -> ExportCursor? {
    guard
      let content = proof.content(
        token, version: ExportTokens.version, byteCount: ExportTokens.byteCount,
        of: question(request))
    else { return nil }
    func number(_ index: Int) -> Int64 { content.number(at: 1 + index * 8) }
    guard number(4) <= number(5) else { return nil }
    return ExportCursor(
      place: UsageCursor(
        window: number(0), cell: number(1), series: number(2), usage: number(3)),
      windows: Hour(index: number(4))..<Hour(index: number(5)),
      rows: UInt64(bitPattern: number(6)))
  }

  private func question(_ request: ExportUsageRequest) -> ExportUsageRequest {
    var question = request
    question.pageToken = ""
    return question
  }
}
