internal import StackmeterCore

/// Why a bearer token stands for nobody. The log says it; the client is only told that the token is not good.
enum TokenRefusal: Error, Hashable, CustomStringConvertible {
  case tooLong
  case malformed(String)
  case header(String)
  case unknownKey
  case otherAlgorithm
  case badSignature
  case claim(String, String)
  case keysAreStale

  var description: String {
    switch self {
    case .tooLong: "the token has more than \(TokenLimits.tokenBytesMax) bytes"
    case .malformed(let problem): "the token is malformed: \(problem)"
    case .header(let problem): "the token's header: \(problem)"
    case .unknownKey: "no key of the set has the token's kid"
    case .otherAlgorithm: "the token's alg is not that of its key"
    case .badSignature: "the signature is wrong"
    case .claim(let name, let problem): "the claim \(name): \(problem)"
    case .keysAreStale: "the key set could not be read for \(TokenLimits.staleMax)"
    }
  }
}

/// What a token and a set of keys may be.
enum TokenLimits {
  static let tokenBytesMax = 12 << 10
  static let json = JSONLimits(depthMax: 8, valuesMax: 2000, stringBytesMax: 8192)
  /// How far the issuer's clock may be from ours.
  static let skew: Duration = .seconds(60)
  static let keyIDBytesMax = 256
  static let subjectBytesMax = 256
  /// What a key set may have, as a file or as an answer.
  static let keySetBytesMax = 64 << 10
  static let keySetJSON = JSONLimits(depthMax: 8, valuesMax: 5000, stringBytesMax: 16 << 10)
  static let keysMax = 64
  /// How long the answer of a key set's URL may take.
  static let downloadTimeMax: Duration = .seconds(5)
  /// A key set's URL is asked at most once in this time, however many unknown keys tokens name.
  static let downloadInterval: Duration = .seconds(30)
  /// How often it is asked where nothing is wrong, so that a key that the set has dropped is soon refused.
  static let refreshInterval: Duration = .seconds(300)
  /// A set that could not be read for so long counts no more.
  static let staleMax: Duration = .seconds(24 * 3600)
  static let modulusBits = 2048...8192
}
