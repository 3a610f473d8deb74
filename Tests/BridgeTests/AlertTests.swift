import StackmeterCore
import StackmeterWire
import Testing

@testable import BridgeServer

@Suite struct AlertTests {
  private let now = Instant(parsing: "2026-11-23T15:00:00Z")!

  private func ids(_ condition: BridgeCondition) -> [String] {
    var book = AlertBook()
    _ = book.update(condition, at: now)
    return book.open.map(\.id)
  }

  @Test func `nothing is wrong with nothing`() {
    #expect(ids(BridgeCondition()).isEmpty)
  }

  @Test func `an alert opens once, keeps its time, and closes by itself`() {
    var book = AlertBook()
    var condition = BridgeCondition()
    condition.circuit = .open
    condition.problem = "refused"
    guard case .opened(let opened)? = book.update(condition, at: now).first else {
      Issue.record("no alert was opened")
      return
    }
    #expect(opened.id == "UnableToConnect")
    #expect(opened.title == "Unable to connect to the remote service")
    condition.circuit = .halfOpen
    condition.problem = "still refused"
    #expect(book.update(condition, at: now.advanced(by: .seconds(60))).isEmpty)
    #expect(book.open.first?.opened == now)
    #expect(book.open.first?.description.contains("still refused") == true)
    let changes = book.update(BridgeCondition(), at: now.advanced(by: .seconds(120)))
    guard case .closed(let closed)? = changes.first, changes.count == 1 else {
      Issue.record("\(changes)")
      return
    }
    #expect(closed.id == "UnableToConnect")
    #expect(book.open.isEmpty)
  }

  @Test func `a registration expires soon, and then has expired`() {
    var condition = BridgeCondition()
    condition.expires = now.advanced(by: BridgeLimits.expiresSoon)
    #expect(ids(condition).isEmpty)
    condition.expires = now.advanced(by: BridgeLimits.expiresSoon - .seconds(1))
    #expect(ids(condition) == ["RegistrationExpiresSoon"])
    condition.expires = now
    #expect(ids(condition) == ["RegistrationExpired"])
  }

  @Test func `a registration that is refused is no lost connection`() {
    var condition = BridgeCondition()
    condition.circuit = .open
    condition.isRefused = true
    #expect(ids(condition) == ["RegistrationRefused"])
  }

  @Test func `a backlog is told where usage is to be forwarded only`() {
    var condition = BridgeCondition()
    condition.totals.nextWindow = Hour(index: 100)
    condition.totals.oldestWindow = Hour(
      index: 100 - Int64(BridgeLimits.windowsBehindMax) - 1)
    #expect(ids(condition).isEmpty)
    condition.forwards = true
    #expect(ids(condition) == ["BacklogGrowing"])
    condition.totals.oldestWindow = Hour(index: 100 - Int64(BridgeLimits.windowsBehindMax))
    #expect(ids(condition).isEmpty)
  }

  @Test func `dead letters and unreadable windows are told`() {
    var condition = BridgeCondition()
    condition.totals.refused = 1
    condition.readProblem = "query: down"
    #expect(ids(condition) == ["RecordsRefused", "UnableToRead"])
  }
}
