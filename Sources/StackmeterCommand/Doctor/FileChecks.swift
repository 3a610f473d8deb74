internal import Glibc
internal import StackmeterCore
internal import StackmeterRuntime
internal import StackmeterStore

/// The checks of `stackmeter doctor` that need no service to run.
struct FileChecks {
  let settings: Settings

  func findings() -> [Finding] {
    [
      directory("run directory", settings.runDirectory),
      directory("state directory", settings.stateDirectory),
      disk(), catalog(), keys(), agentMapping(), library(), store(),
    ]
  }

  private func fileStatus(_ path: String) -> stat? {
    var status = stat()
    return stat(path, &status) == 0 ? status : nil
  }

  private func octal(_ mode: mode_t) -> String { "0" + String(mode & 0o7777, radix: 8) }

  func directory(_ subject: String, _ path: String) -> Finding {
    guard let status = fileStatus(path) else {
      return .warn(
        subject, "\(path): \(String(cString: strerror(errno)))",
        advice: "stackmeter up makes it; or make it with install -d -m 0750 \(path)")
    }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      return .fail(
        subject, "\(path) is not a directory", advice: "choose another one in the settings")
    }
    guard status.st_mode & 0o007 == 0 else {
      return .fail(
        subject, "\(path) has mode \(octal(status.st_mode)): every user of this host may enter",
        advice: "chmod 0750 \(path)")
    }
    guard access(path, W_OK | X_OK) == 0 else {
      return .fail(
        subject, "\(path) cannot be written by this user",
        advice: "run this as the user that runs the services, or chown \(path)")
    }
    return .ok(subject, "\(path), mode \(octal(status.st_mode))")
  }

  func disk() -> Finding {
    var volume = statvfs()
    guard statvfs(settings.stateDirectory, &volume) == 0 else {
      return .warn(
        "disk", "\(settings.stateDirectory): \(String(cString: strerror(errno)))",
        advice: "make the state directory first")
    }
    let free = Int(volume.f_bavail) * Int(volume.f_frsize) / (1 << 20)
    let reserve = settings.diskReserveMebibytes
    let seen =
      "\(free) MiB free for \(settings.stateDirectory); events are refused below \(reserve)"
    if free < reserve {
      return .fail("disk", seen, advice: "free space; nothing is lost, providers retry until then")
    }
    guard free >= reserve * 4 else {
      return .warn("disk", seen, advice: "free space soon, or move the state directory")
    }
    return .ok("disk", seen)
  }

  func catalog() -> Finding {
    let subject = "meter catalog"
    let advice = "see deploy/config/meters.json for one that is good"
    do {
      let catalog = try MeterCatalog(json: fileContent(settings.meterCatalog))
      return .ok(subject, "\(catalog.meters.count) meters in \(settings.meterCatalog)")
    } catch let error as FileReadError {
      return .fail(subject, error.description, advice: advice)
    } catch {
      return .fail(subject, "\(settings.meterCatalog): \(error)", advice: advice)
    }
  }

  func keys() -> Finding {
    let path = settings.apiKeys
    guard let status = fileStatus(path) else {
      return .warn(
        "API keys", "\(path): \(String(cString: strerror(errno)))",
        advice: "nobody can use the gateway until stackmeter token create makes a key")
    }
    guard status.st_mode & 0o077 == 0 else {
      return .fail(
        "API keys", "\(path) has mode \(octal(status.st_mode))", advice: "chmod 0600 \(path)")
    }
    guard access(path, R_OK) == 0 else {
      return .fail(
        "API keys", "\(path) cannot be read by this user",
        advice: "run this as the user that runs the services, or chown \(path)")
    }
    return .ok("API keys", "\(path), mode \(octal(status.st_mode))")
  }

  func agentMapping() -> Finding {
    let subject = "agent mapping"
    do {
      _ = try JSONValue(parsing: fileContent(settings.agentMapping), limits: .configuration)
      return .ok(subject, settings.agentMapping)
    } catch let error as FileReadError {
      return .warn(
        subject, error.description,
        advice: "the agent cannot say who uses this host; see deploy/config/agent.json")
    } catch {
      return .fail(subject, "\(settings.agentMapping): \(error)", advice: "correct the file")
    }
  }

  /// Which store has the aggregates, and whether it answers.
  func store() -> Finding {
    let subject = "usage database"
    let database = UsageDatabase(
      postgresql: settings.storePostgreSQL, path: settings.usageDatabase, cell: settings.cell)
    let place =
      settings.storePostgreSQL.isEmpty ? "SQLite, \(settings.usageDatabase)" : "PostgreSQL"
    do throws(StoreError) {
      let reader = try database.reader()
      let position = try reader.position().nextPosition
      return .ok(
        subject,
        "\((reader as? PostgreSQLUsageReader)?.place ?? place), counted up to position \(position)")
    } catch {
      let reason = "\(place): \(error.message)"
      switch error.kind {
      case .missing: return .warn(subject, reason, advice: "the aggregator makes it; start it")
      case .olderSchema:
        return .warn(subject, reason, advice: "start everything with stackmeter up")
      case .interrupted:
        return .fail(
          subject, reason,
          advice: "start PostgreSQL, or correct store.postgresql; see deploy/postgres")
      default:
        return .fail(
          subject, reason,
          advice: "run the version that made it, or restore a backup; the journal has all that it "
            + "was made from")
      }
    }
  }

  func library() -> Finding {
    let version = SQLiteLibrary.version
    guard SQLiteLibrary.versionNumber >= SQLiteLibrary.versionNumberMin else {
      return .fail(
        "SQLite", "version \(version); 3.37 or later is needed",
        advice: "install the libsqlite3-0 of Debian 12 or later")
    }
    return .ok("SQLite", "version \(version)")
  }
}
