internal import ArgumentParser
internal import Testing

@testable import StackmeterCommand

struct ArgumentsTests {
  @Test(arguments: [
    (["usage", "--json", "--csv"], "--json and --csv exclude each other"),
    (["usage", "--by", "week"], "--by: week is not one of day, subscription, meter"),
    (["usage", "--by", ""], "--by:  is not one of day, subscription, meter"),
    (["usage", "--daily"], "--hourly and --daily need --list"),
    (["usage", "--list", "--daily", "--hourly"], "--hourly and --daily exclude each other"),
    (["usage", "--watch", "--csv"], "--watch shows the table of totals only"),
    (["usage", "--digits", "19"], "--digits must be 0 to 18"),
    (["usage", "--digits", "2", "--csv"], "--digits is for the table; --json and --csv are exact"),
    (
      ["report", "-", "--checkpoint", "c"],
      "--checkpoint needs a file; standard input cannot be read again"
    ),
    (["report", "c", "--checkpoint", "c"], "--checkpoint must not be the file of events"),
    (["report"], "Missing expected argument '<file>'"),
    (
      ["token", "create", "--role", "king"],
      "The value 'king' is invalid for '--role <role>'. Please provide one of 'operator', "
        + "'tenant', 'provider' or 'reporter'."
    ),
    (["token", "create", "--role", "tenant"], "a tenant needs a --subscription"),
    (
      ["token", "create", "--role", "operator", "--subscription", "a"],
      "--subscription is for a tenant"
    ),
    (["token", "create", "--role", "reporter"], "a reporter needs a --source"),
    (
      ["token", "create", "--role", "tenant", "--provider", "p"], "a tenant needs a --subscription"
    ),
    (
      ["token", "create", "--role", "operator", "--expires", "tomorrow"],
      "--expires must be a time such as 2027-01-01T00:00:00Z"
    ),
    (["quarantine", "redrive"], "name entries by number, or give --all"),
    (["quarantine", "discard", "1", "--all"], "numbers and --all exclude each other"),
    (["quarantine", "redrive", "1", "--source", "vm"], "filters need --all"),
    (["quarantine", "redrive", "1", "--dry-run"], "--dry-run is for --all"),
    (
      ["quarantine", "list", "--reason", "Ugly"],
      "--reason: Ugly is none of Conflict, UnknownMeter, TooOld, InFuture, Malformed, "
        + "AlreadyCorrected, VoidOfVoid, UnknownTarget"
    ),
    (
      ["quarantine", "redrive", "--all", "--source", ""],
      "--source: must not be empty; leave it out to mean all"
    ),
    (
      ["quarantine", "list", "--from", "soon"],
      "--from: soon is no day or time such as 2026-11-23 or 2026-11-23T15:00:00Z"
    ),
    (["quarantine", "list", "--limit", "0"], "--limit must be at least 1"),
    (["fly"], "Unexpected argument 'fly'"),
  ])
  func `wrong arguments are named`(_ arguments: [String], _ message: String) {
    #expect {
      _ = try RootCommand.parseAsRoot(arguments)
    } throws: { error in
      RootCommand.message(for: error) == message
        && RootCommand.exitCode(for: error) == .validationFailure
    }
  }

  @Test
  func `all of a report on usage can be asked for`() throws {
    let command = try RootCommand.parseAsRoot([
      "usage", "--from", "2026-11-01", "--to", "2026-12-01", "--by", "day,subscription",
      "--subscription", "a", "--subscription", "b", "--meter", "m", "--csv",
    ])
    let usage = try #require(command as? UsageCommand)
    #expect(try usage.groupings() == [.day, .subscription])
    #expect(usage.subscriptions == ["a", "b"])
    #expect(usage.format == .csv)
  }
}
