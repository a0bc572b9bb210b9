// debug bundle: what a report of a fault needs, in one archive, without secrets. It reads the database beside a daemon
// or without one, copies none of it, and goes on where a part cannot be had: that is when it is wanted.
#include <sys/utsname.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <ostream>

#include "cli/config.h"
#include "cli/doctor.h"
#include "cli/exit_code.h"
#include "cli/print.h"
#include "cli/process.h"
#include "cli/session.h"
#include "cli/tar.h"
#include "cli/verbs.h"
#include "cli/version.h"
#include "slipway/base/file.h"
#include "slipway/store/findings.h"
#include "slipway/store/sqlite_store.h"
#include "slipway/vault/mask.h"
#include "slipway/vault/token.h"
#include "slipway/vault/vault.h"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;
using Parts = std::map<std::string, std::string>;  // file -> bytes

constexpr std::streamoff kLogBytes = 1U << 20U;
constexpr int kRuns = 100;
// What lint says shows lines of the files, and an address in them may be a key.
constexpr std::string_view kConfigMistakes = "the config files have mistakes; `slipway config lint` shows them";

std::string pretty(const Value& value) { return value.dump_pretty() + "\n"; }

Value version_part() {
  utsname machine{};
  uname(&machine);
  return Value::Object{
      {"version", kVersion}, {"system", machine.sysname}, {"kernel", machine.release}, {"machine", machine.machine}};
}

// Addresses of chats and mail servers hold keys in their paths: only where they lead is told.
std::string without_path(const std::string& url) {
  const auto scheme = url.find("://");
  if (scheme == std::string::npos) return "";
  const std::string host = url.substr(scheme + 3, url.find_first_of("/?#", scheme + 3) - scheme - 3);
  const auto user = host.rfind('@');
  return url.substr(0, scheme + 3) + (user == std::string::npos ? host : host.substr(user + 1));
}

Result<Value> config_part(const Session& session) {
  const auto loaded = Config::load(session.env);
  if (!loaded) return Error{ErrorCode::InvalidArgument, std::string(kConfigMistakes), {}};
  const Config& config = *loaded;
  Value::Array settings, targets, variables;
  for (const Setting& setting : kSettings) {
    const Resolved resolved = config.get(setting.name);
    const bool address = setting.name == "server";
    settings.push_back(Value::Object{{"name", setting.name},
                                     {"value", address ? without_path(resolved.value) : resolved.value},
                                     {"origin", resolved.origin}});
  }
  for (const auto& [name, target] : config.notify_targets())
    targets.push_back(Value::Object{
        {"name", name}, {"kind", target.kind}, {"to", without_path(target.url)}, {"origin", target.origin}});
  for (const auto& [name, value] : session.env)
    if (name.rfind("SLIPWAY_", 0) == 0) variables.emplace_back(name);
  return Value(Value::Object{
      {"settings", std::move(settings)}, {"notify", std::move(targets)}, {"variables", std::move(variables)}});
}

Result<Value> runs_part(store::Reader& reader) {
  store::RunFilter filter;
  filter.limit = kRuns;
  SLIPWAY_TRY_ASSIGN(const auto runs, reader.list_runs(filter));
  const auto when = [](const std::optional<Instant>& at) { return at ? Value(to_rfc3339(*at)) : Value(); };
  Value::Array list;
  for (const store::RunSummary& run : runs)
    list.push_back(Value::Object{{"id", run.header.id.str()},
                                 {"dag", run.header.dag.str()},
                                 {"state", run::kRunStates.text(run.state)},
                                 {"trigger", run::kTriggerKinds.text(run.header.trigger)},
                                 {"queued_at", to_rfc3339(run.header.created_at)},
                                 {"started_at", when(run.started_at)},
                                 {"ended_at", when(run.ended_at)},
                                 {"failures", Value::Array(run.failures.begin(), run.failures.end())}});
  return Value(Value::Object{{"runs", std::move(list)}});
}

Result<Value> dags_part(store::Reader& reader) {
  SLIPWAY_TRY_ASSIGN(const auto dags, reader.list_dags());
  Value::Array list;
  for (const store::DagRow& dag : dags)
    list.push_back(Value::Object{{"id", dag.id.str()},
                                 {"version", dag.version.str()},
                                 {"paused", dag.paused},
                                 {"present", dag.present},
                                 {"error", dag.error}});
  return Value(Value::Object{{"dags", std::move(list)}});
}

// Everything that must not be in the archive: what is sealed, and the tokens at hand.
Result<std::vector<Secret>> secrets_of(const Session& session, const store::Store& store) {
  std::vector<Secret> secrets;
  SLIPWAY_TRY_ASSIGN(const auto sealed, store.blobs("secret"));
  if (!sealed.empty()) {
    SLIPWAY_TRY_ASSIGN(const auto vault, vault::Vault::open(session.home(), vault::Vault::IfAbsent::Refuse));
    for (const auto& [name, bytes] : sealed) {
      SLIPWAY_TRY_ASSIGN(auto secret, vault.unseal(name, bytes));
      secrets.push_back(std::move(secret));
    }
  }
  if (auto token = vault::read_local_token(session.home())) secrets.push_back(*std::move(token));
  if (const std::string token = session.variable("SLIPWAY_TOKEN"); !token.empty()) secrets.emplace_back(token);
  return secrets;
}

Value doctor_part(Session& session) {
  Value report = doctor_report(session, false);
  for (Value& check : report["checks"].as_array())
    if (check.get_string("what") == "config" && check.get_string("state") == "bad") check["detail"] = kConfigMistakes;
  return report;
}

// The last lines of a log.
std::string tail_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  if (!in) return "missing: there is no " + file + "\n";
  const std::streamoff size = in.tellg();
  const std::streamoff from = std::max<std::streamoff>(0, size - kLogBytes);
  std::string log(static_cast<std::size_t>(size - from), '\0');
  in.seekg(from).read(log.data(), size - from);
  log.resize(static_cast<std::size_t>(in.gcount()));
  return from == 0 ? log : log.erase(0, log.find('\n') + 1);
}

void put(Parts& parts, const std::string& name, const Result<Value>& value) {
  parts[name] = pretty(value ? *value : Value(Value::Object{{"missing", value.error().message}}));
}

// What lies in the home; without its secrets nothing of it can be told, because nothing could be masked.
Result<void> add_home(const Session& session, const store::Store& store, Parts& parts) {
  SLIPWAY_TRY_ASSIGN(const auto reader, store.read());
  put(parts, "runs.json", runs_part(*reader));
  put(parts, "dags.json", dags_part(*reader));
  put(parts, "db-check.json", store::check_report(store));
  parts["daemon.log"] = tail_of(session.home() + "/daemon.log");
  return {};
}

Parts collect(Session& session) {
  Parts parts;
  put(parts, "version.json", version_part());
  put(parts, "config.json", config_part(session));
  put(parts, "doctor.json", doctor_part(session));
  const auto opened = store::look_at_sqlite(session.home() + "/slipway.db");
  auto found = opened ? secrets_of(session, **opened) : Result<std::vector<Secret>>(opened.error());
  const auto added = found ? add_home(session, **opened, parts) : Result<void>(found.error());
  if (!added) put(parts, "home.json", added.error());
  for (auto& [name, bytes] : parts) {
    vault::Masker masker(found ? *found : std::vector<Secret>());
    bytes = masker.feed(bytes) + masker.finish();
  }
  return parts;
}

int bundle(const std::string& wanted, Session& session) {
  const Instant now = SystemClock().now();
  std::string moment = to_rfc3339(now).substr(0, 19);
  std::erase_if(moment, [](char c) { return c == '-' || c == ':'; });
  const std::string name = "slipway-bundle-" + moment;
  const std::string file = wanted.empty() ? name + ".tar" : wanted;
  const Parts parts = collect(session);
  const auto archive = make_tar(name, parts, now);
  if (!archive) return session.fail(archive.error());
  const auto written = write_whole_file(file, *archive);
  if (!written) return session.fail(written.error());
  std::error_code ignored;
  fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write, ignored);
  Value::Array names;
  for (const auto& [part, bytes] : parts) names.emplace_back(part);
  if (for_programs(session.format()))
    print_body(session, Value::Object{{"file", file}, {"parts", std::move(names)}}, {"", "file", {}});
  else
    print_file(session, file);
  if (!session.globals.quiet)
    session.err << "read it before you send it on: names of DAGs, tasks and folders are in it\n";
  return kOk;
}

}  // namespace

Handler setup_debug_bundle(CLI::App& app) {
  auto file = std::make_shared<std::string>();
  app.add_option("file", *file, "where to write it; default slipway-bundle-<time>.tar here");
  return [file](Session& session) { return bundle(*file, session); };
}

}  // namespace slipway::cli
