import GatewayServer
import Glibc
import StackmeterCore
import StackmeterTesting
import Testing

@Suite struct APIKeysTests {
  @Test func `a new key's token stands for its role and for nothing else`() throws {
    let ours = try APIKeys.create(role: .operator)
    let theirs = try APIKeys.create(role: .tenant, subscriptions: ["AAAA", "b"])
    var keys = APIKeys()
    try keys.add(ours.key)
    try keys.add(theirs.key)
    #expect(keys.authenticate(ours.token, now: RunningGateway.start) == .operator)
    #expect(
      keys.authenticate(theirs.token, now: RunningGateway.start)
        == .tenant(subscriptions: ["aaaa", "b"]))
    #expect(ours.token != theirs.token)
  }

  @Test func `a token has the id of its key and 43 characters of secret`() throws {
    let (key, token) = try APIKeys.create(role: .operator)
    #expect(token.hasPrefix("sm_\(key.id)_"))
    #expect(token.utf8.count == "sm_\(key.id)_".utf8.count + 43)
  }

  @Test func `a wrong secret, an unknown id and a text that is no token stand for nobody`() throws {
    let (key, token) = try APIKeys.create(role: .operator)
    var keys = APIKeys()
    try keys.add(key)
    let other = try APIKeys.create(role: .operator).token
    let wrong = "sm_\(key.id)_" + String(repeating: "A", count: 43)
    for text in [
      "", "sm_", "sm__", wrong, other, String(token.dropLast()), token + "A", token + " ",
      token.uppercased(), "sm_\(key.id)", String(repeating: "x", count: 10_000),
    ] {
      #expect(keys.authenticate(text, now: RunningGateway.start) == nil, "\(text)")
    }
  }

  @Test func `a revoked key stands for nobody and the others stay`() throws {
    let first = try APIKeys.create(role: .operator)
    let second = try APIKeys.create(role: .operator)
    var keys = APIKeys()
    try keys.add(first.key)
    try keys.add(second.key)
    let removals = [keys.remove(id: first.key.id), keys.remove(id: first.key.id)]
    #expect(removals == [true, false])
    #expect(keys.authenticate(first.token, now: RunningGateway.start) == nil)
    #expect(keys.authenticate(second.token, now: RunningGateway.start) == .operator)
  }

  @Test func `every problem of a key file is told at once, with its path`() {
    let json = """
      {"keys": [
        {"id": "a b", "secretSHA256": "12", "role": "king", "more": 1},
        {"id": "t", "secretSHA256": "\(String(repeating: "0", count: 64))", "role": "tenant"},
        7
      ], "extra": true}
      """
    let error = #expect(throws: APIKeysError.self) { try APIKeys(json: Array(json.utf8)) }
    let problems = error?.description ?? ""
    for path in [
      "extra", "keys[0].id", "keys[0].secretSHA256", "keys[0].role", "keys[0].more",
      "keys[1].subscriptions", "keys[2]",
    ] {
      #expect(problems.contains("\(path):"), "\(path)")
    }
  }

  @Test func `the same id twice is refused`() {
    let key =
      #"{"id": "k", "secretSHA256": "\#(String(repeating: "0", count: 64))", "role": "operator"}"#
    let error = #expect(throws: APIKeysError.self) {
      try APIKeys(json: Array("{\"keys\": [\(key), \(key)]}".utf8))
    }
    #expect(error?.problems == ["keys[1].id: \"k\" is the id of an earlier key too"])
  }

  @Test func `an update makes a file of mode 0600 without the secret and keeps earlier keys`()
    throws
  {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/keys.json"
    var tokens: [String] = []
    for note in ["first", "second \"quoted\""] {
      let (key, token) = try APIKeys.create(role: .operator, note: note)
      tokens.append(token)
      try APIKeys.update(file: path) { (keys) throws(APIKeysError) in try keys.add(key) }
    }
    var status = stat()
    #expect(stat(path, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
    let keys = try APIKeys(file: path)
    #expect(keys.keys.map(\.note) == ["first", "second \"quoted\""])
    let text = String(decoding: keys.json(), as: UTF8.self)
    for token in tokens {
      #expect(keys.authenticate(token, now: RunningGateway.start) == .operator)
      #expect(!text.contains(token.suffix(43)))
    }
  }

  @Test func `an update that is refused leaves the file as it was`() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/keys.json"
    writeFile(path, "not keys")
    #expect(throws: APIKeysError.self) {
      try APIKeys.update(file: path) { (keys) throws(APIKeysError) in keys = APIKeys() }
    }
    let error = #expect(throws: APIKeysError.self) { try APIKeys(file: path) }
    #expect(error?.description.contains("not valid JSON") == true)
  }

  @Test func `a file that others may write is refused`() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/keys.json"
    writeFile(path, #"{"keys": []}"#, mode: 0o666)
    let error = #expect(throws: APIKeysError.self) { try APIKeys(file: path) }
    #expect(error?.description.contains("chmod 0600") == true)
  }
}
