import StackmeterCore

@testable import StackmeterRating

/// A FOCUS file as a reader sees it: rows of cells by the name of their column; an empty cell is no cell.
struct FocusFile {
  typealias Row = [String: String]

  let columns: [String]
  let rows: [Row]

  init(_ bytes: [UInt8]) throws {
    let records = try FocusFile.records(bytes)
    columns = records[0]
    rows = try records.dropFirst().enumerated().map { index, cells in
      guard cells.count == records[0].count else {
        throw FocusFault("row \(index + 1) has \(cells.count) cells")
      }
      return Dictionary(
        zip(records[0], cells).filter { !$0.1.isEmpty }, uniquingKeysWith: { one, _ in one })
    }
  }

  /// RFC 4180, read by other code than wrote it.
  private static func records(_ bytes: [UInt8]) throws -> [[String]] {
    var records: [[String]] = []
    var record: [String] = []
    var cell: [UInt8] = []
    var isQuoted = false
    var index = 0
    while index < bytes.count {
      let byte = bytes[index]
      index += 1
      if isQuoted {
        if byte != 0x22 {
          cell.append(byte)
        } else if index < bytes.count, bytes[index] == 0x22 {
          cell.append(byte)
          index += 1
        } else {
          isQuoted = false
        }
        continue
      }
      switch byte {
      case 0x22: isQuoted = true
      case 0x2C, 0x0A:
        record.append(String(decoding: cell, as: UTF8.self))
        cell = []
        if byte == 0x0A {
          records.append(record)
          record = []
        }
      case 0x0D: break
      default: cell.append(byte)
      }
    }
    guard !isQuoted, cell.isEmpty, record.isEmpty, !records.isEmpty else {
      throw FocusFault("the last row has no end")
    }
    return records
  }

  /// The exact sum of a column, by the value of another.
  func sums(of column: String, by key: String) throws -> [String: Cost] {
    try rows.reduce(into: [:]) { sums, row in
      guard let name = row[key], let cost = Cost(parsing: row[column] ?? "") else {
        throw FocusFault("\(column) is no decimal")
      }
      sums[name] = (sums[name] ?? .zero).adding(cost)
    }
  }
}

struct FocusFault: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// The FOCUS file of statements with their charges.
func focusFile(
  _ bills: [(statement: Statement, charges: [Charge])], provider: String = "Contoso IT",
  catalog: MeterCatalog, form: FocusForm = .focus
) throws -> [UInt8] {
  var writer = FocusWriter(provider: provider, catalog: catalog, form: form)
  var bytes: [UInt8] = []
  for bill in bills {
    writer.begin(bill.statement)
    for charge in bill.charges {
      try writer.add(charge)
      bytes += writer.take()
    }
    try writer.end()
  }
  return bytes + writer.take()
}
