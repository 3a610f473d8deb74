internal import StackmeterCore

/// One line of a rate card as its words.
struct CardLine {
  struct Word {
    let text: String
    let place: CardPlace
    let isQuoted: Bool
  }

  private(set) var words: ArraySlice<Word>
  /// Where the line's last word ends.
  private let end: CardPlace

  /// Splits a line into words. A word is anything without a space, or any text in quotes, in which `\"` and `\\` stand
  /// for themselves. What follows a `#` that begins a word is a comment.
  init(_ line: Substring, number: Int) throws(CardProblem) {
    var words: [Word] = []
    let scalars = Array(line.unicodeScalars)
    var index = 0
    func place(_ index: Int) -> CardPlace { CardPlace(line: number, column: index + 1) }
    while index < scalars.count {
      let start = index
      switch scalars[index] {
      case " ", "\t": index += 1
      case "#": index = scalars.count
      case "\"":
        var text = String.UnicodeScalarView()
        index += 1
        while true {
          guard index < scalars.count else {
            throw CardProblem(place(start), "the text in quotes does not end: add a \" at its end")
          }
          if scalars[index] == "\"" { break }
          if scalars[index] == "\\" {
            index += 1
            guard index < scalars.count, scalars[index] == "\"" || scalars[index] == "\\" else {
              throw CardProblem(
                place(index - 1), "a \\ in quotes stands before a \" or another \\ only")
            }
          }
          text.append(scalars[index])
          index += 1
        }
        index += 1
        guard index == scalars.count || scalars[index] == " " || scalars[index] == "\t" else {
          throw CardProblem(place(index), "put a space after the text in quotes")
        }
        words.append(Word(text: String(text), place: place(start), isQuoted: true))
      default:
        var text = String.UnicodeScalarView()
        while index < scalars.count, scalars[index] != " ", scalars[index] != "\t" {
          guard scalars[index] != "\"" else {
            throw CardProblem(place(index), "a text with a quote in it stands in quotes as a whole")
          }
          text.append(scalars[index])
          index += 1
        }
        words.append(Word(text: String(text), place: place(start), isQuoted: false))
      }
    }
    for word in words {
      for scalar in word.text.unicodeScalars where scalar.value < 0x20 || scalar.value == 0x7F {
        throw CardProblem(word.place, "there is a control character in this text: remove it")
      }
    }
    self.words = words[...]
    end = place(scalars.count)
  }

  var isEmpty: Bool { words.isEmpty }
  /// Where the next word begins, or the line ends.
  var place: CardPlace { words.first?.place ?? end }

  /// The next word; `what` says what is wanted where the line has ended: "a price".
  mutating func next(_ what: String) throws(CardProblem) -> Word {
    guard let word = words.popFirst() else {
      throw CardProblem(end, "\(what) is missing at the end of the line")
    }
    return word
  }

  /// Passes this word where it is the next one.
  mutating func skip(_ word: String) -> Bool {
    guard let first = words.first, !first.isQuoted, first.text == word else { return false }
    words.removeFirst()
    return true
  }

  /// Passes what is left.
  mutating func skipAll() {
    words = []
  }

  /// Throws where a word is left.
  func finish() throws(CardProblem) {
    guard let word = words.first else { return }
    throw CardProblem(
      word.place,
      "\"\(word.text)\" is too much here: remove it, or put a text with spaces in quotes")
  }

  // What the words of a card can be.

  mutating func text(_ what: String) throws(CardProblem) -> String {
    let word = try next(what)
    guard (1...RateCardLimits.textBytesMax).contains(word.text.utf8.count) else {
      throw CardProblem(
        word.place, "\(what) must have 1 to \(RateCardLimits.textBytesMax) bytes")
    }
    return word.text
  }

  /// A name that other lines refer to.
  mutating func name(_ what: String) throws(CardProblem) -> String {
    let word = try next(what)
    let isName = word.text.utf8.allSatisfy {
      (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
        || $0 == 0x2D || $0 == 0x2E || $0 == 0x5F
    }
    guard isName, (1...RateCardLimits.nameBytesMax).contains(word.text.utf8.count) else {
      throw CardProblem(
        word.place,
        "\(what) must be 1 to \(RateCardLimits.nameBytesMax) letters a-z, digits, - . _")
    }
    return word.text
  }

  mutating func quantity(_ what: String) throws(CardProblem) -> Quantity {
    let word = try next(what)
    let attos: Int128
    do throws(DecimalError) {
      attos = try PlainDecimal.parse(word.text, fractionDigits: Quantity.fractionDigits)
    } catch { throw CardProblem(word.place, "\(what): \(word.text) \(error.explanation)") }
    guard let quantity = Quantity(attos: attos) else {
      throw CardProblem(word.place, "\(what): \(word.text) \(DecimalError.tooLarge.explanation)")
    }
    guard quantity > .zero else {
      throw CardProblem(word.place, "\(what): \(word.text) is not above zero")
    }
    return quantity
  }

  mutating func price() throws(CardProblem) -> Price {
    let word = try next("a price")
    do throws(DecimalError) { return try Price(parsing: word.text) } catch {
      throw CardProblem(word.place, "the price \(word.text) \(error.explanation)")
    }
  }

  mutating func percent() throws(CardProblem) -> Percent {
    let word = try next("a percentage such as 12.5%")
    guard word.text.hasSuffix("%") else {
      throw CardProblem(word.place, "a discount is a percentage: write \(word.text)%")
    }
    let percent: Percent
    do throws(DecimalError) { percent = try Percent(parsing: word.text.dropLast()) } catch {
      throw CardProblem(
        word.place,
        "the discount \(word.text) \(error == .tooLarge ? "is above 100 %" : error.explanation)")
    }
    guard percent != .zero else {
      throw CardProblem(word.place, "a discount of nothing: remove the line")
    }
    return percent
  }
}
