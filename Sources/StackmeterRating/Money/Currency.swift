/// A currency of ISO 4217: its code, and how many digits after the point its smallest unit has.
package struct Currency: Hashable, Sendable {
  package let code: String
  /// 2 for EUR: the smallest unit is 0.01.
  package let fractionDigits: Int

  /// Nil for what is no code of a currency in use. Codes are in upper case.
  package init?(code: String) {
    guard Currency.codes.contains(code) else { return nil }
    self.code = code
    fractionDigits = Currency.exceptions[code] ?? 2
  }

  /// Those that do not have two digits.
  private static let exceptions: [String: Int] = {
    var digits: [String: Int] = ["CLF": 4, "UYW": 4]
    for code in words("BHD IQD JOD KWD LYD OMR TND") { digits[code] = 3 }
    for code in words(
      "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF")
    {
      digits[code] = 0
    }
    return digits
  }()

  private static let codes = Set(
    words(
      """
      AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF \
      CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD \
      GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP \
      LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB \
      PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB \
      TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER \
      ZAR ZMW ZWG
      """))

  private static func words(_ text: String) -> [String] {
    text.split(separator: " ").map(String.init)
  }
}
