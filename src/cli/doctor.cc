#include "cli/doctor.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "cli/cluster.h"
#include "cli/config.h"
#include "cli/process.h"
#include "slipway/base/fd.h"
#include "slipway/exec/limits.h"
#include "slipway/pods/pod_executor.h"
#include "slipway/store/findings.h"
#include "slipway/store/home.h"
#include "slipway/store/sqlite_store.h"
#include "slipway/store/suspect_file.h"

namespace slipway::cli {
namespace {

// One line of doctor: what was looked at, whether it is well, and what to do if not.
struct Finding {
  std::string what;
  std::string state;  // "ok", "warn" or "bad"
  std::string detail;
};

Finding look_at_home(const std::string& home) {
  std::error_code error;
  if (!std::filesystem::exists(home, error)) return {"home", "ok", home + " does not exist yet; `slipway up` makes it"};
  const auto status = std::filesystem::status(home, error);
  using std::filesystem::perms;
  if ((status.permissions() & (perms::group_all | perms::others_all)) != perms::none)
    return {"home", "bad", home + " is open to other users; chmod 700 " + home};
  return {"home", "ok", home};
}

Finding look_at_file_system(const std::string& home) {
  std::string folder = home;
  std::error_code error;
  while (!std::filesystem::exists(folder, error) && folder != "/")
    folder = std::filesystem::path(folder).parent_path().string();
  const auto unsafe = store::unsafe_file_system(folder);
  if (!unsafe) return {"file system", "warn", unsafe.error().message};
  if (*unsafe)
    return {"file system", "bad",
            folder + " lies on " + **unsafe +
                ", whose locks and flushes cannot be relied on; choose a local disk with --home"};
  const auto space = std::filesystem::space(folder, error);
  if (!error && space.available < (1ULL << 30U)) return {"disk", "warn", "less than 1 GiB is free at " + folder};
  return {"file system", "ok", "local"};
}

Finding look_at_daemon(Session& session) {
  const auto daemon = running_daemon(session.home());
  if (!daemon) return {"daemon", "ok", "none runs on this home"};
  const auto health = session.call("GET", "/health");
  if (!health)
    return {"daemon", "bad", "pid " + std::to_string(daemon->pid) + " does not answer: " + health.error().message};
  return {"daemon", "ok", daemon->url + ", pid " + std::to_string(daemon->pid)};
}

Finding look_at_quarantine(const std::string& home) {
  const auto found = store::read_quarantine(home);
  if (!found) return {"quarantine", "warn", found.error().message};
  if (found->empty()) return {"quarantine", "ok", "empty"};
  std::string names;
  for (const SetAside& one : *found) names += (names.empty() ? "" : ", ") + one.subject;
  return {"quarantine", "warn",
          "the daemon aborted " + std::to_string(found->front().aborts) +
              " times while it worked on each of: " + names + "; `slipway db release` takes one up again"};
}

Finding look_at_config(const Session& session) {
  const auto config = Config::load(session.env);
  return config ? Finding{"config", "ok", "no mistakes"} : Finding{"config", "bad", config.error().message};
}

// Whether the cluster of the settings answers and gives every right that pods need.
Finding look_at_cluster(const Session& session) {
  const auto config = Config::load(session.env);
  if (!config) return {"cluster", "warn", "the config has mistakes"};
  const auto settings = cluster_settings(*config, {}, session.env);
  if (!settings) return {"cluster", "bad", settings.error().message};
  if (!settings->cluster) return {"cluster", "ok", "none is set up; tasks run on this machine"};
  const Cluster& cluster = *settings->cluster;
  const SystemClock clock;
  const auto transport = http::make_curl_transport();
  const auto client = connect_cluster(cluster, clock, *transport, session.env, Logger());
  if (!client) return {"cluster", "bad", client.error().message};
  for (const std::string& name : cluster.defaults.all_namespaces()) {
    const auto missing = pods::missing_rights(**client, name);
    if (!missing) return {"cluster", "bad", missing.error().message};
    std::string list;
    for (const std::string& right : *missing) list += (list.empty() ? "" : ", ") + right;
    if (!list.empty())
      return {"cluster", "bad", "the account may not " + list + " in namespace " + name + "; add it to its Role"};
  }
  return {"cluster", "ok", cluster.config.cluster.server + ", namespace " + cluster.defaults.namespace_name};
}

// Absent control groups are no fault: limits are weaker without them, and `resources` says so in the documentation.
Finding look_at_limits() { return {"limits", "ok", exec::limit_support().text}; }

Finding look_at_database(Session& session) {
  std::error_code ignored;
  if (!std::filesystem::exists(session.home() + "/slipway.db", ignored)) return {"database", "ok", "there is none yet"};
  const auto report = check_database(session);
  if (!report) return {"database", "bad", report.error().message};
  const auto& findings = report->find("findings")->as_array();
  if (findings.empty()) return {"database", "ok", "whole"};
  return {"database", "bad",
          findings.front().get_string("detail") + (findings.size() > 1 ? " and more" : "") +
              "; `slipway db check` tells all, `slipway db restore` puts a backup in its place"};
}

// What a commit waits for. A disk that answers sooner than any can write keeps it somewhere that a power cut empties.
Finding look_at_disk(const std::string& home) {
  constexpr int kTimes = 15;
  constexpr auto kTooFast = std::chrono::microseconds(20);
  std::error_code ignored;
  if (!std::filesystem::exists(home, ignored)) return {"disk", "ok", "no home yet"};
  const std::string file = home + "/.doctor";
  const Fd fd(open(file.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600));
  if (fd.get() < 0) return {"disk", "bad", errno_error("cannot write in " + home, errno).message};
  const SystemClock clock;
  std::vector<Duration> took;
  for (int i = 0; i < kTimes; ++i) {
    const auto begin = clock.monotonic();
    if (write(fd.get(), "slipway\n", 8) != 8 || fsync(fd.get()) != 0) {
      unlink(file.c_str());
      return {"disk", "bad", errno_error("cannot write in " + home, errno).message};
    }
    took.push_back(std::chrono::duration_cast<Duration>(clock.monotonic() - begin));
  }
  unlink(file.c_str());
  std::nth_element(took.begin(), took.begin() + kTimes / 2, took.end());
  const Duration median = took[kTimes / 2];
  const std::string text = "a write is on disk after " + std::to_string(median.count()) + " us (median)";
  if (median >= kTooFast) return {"disk", "ok", text};
  return {"disk", "warn", text + ": sooner than disks write, so a power cut may take what was acknowledged"};
}

}  // namespace

Result<Value> check_database(Session& session) {
  // While a daemon holds the home it alone touches the database.
  if (running_daemon(session.home())) return session.call("GET", "/db/check");
  SLIPWAY_TRY_ASSIGN(const auto lock, store::HomeLock::acquire(session.home()));
  SLIPWAY_TRY_ASSIGN(const auto opened, store::open_sqlite(session.home() + "/slipway.db"));
  return store::check_report(*opened);
}

Value doctor_report(Session& session, bool deep) {
  std::vector<Finding> findings{
      look_at_config(session), look_at_home(session.home()), look_at_file_system(session.home()),
      look_at_limits(),        look_at_cluster(session),     look_at_quarantine(session.home()),
      look_at_daemon(session)};
  if (deep) findings.push_back(look_at_disk(session.home()));
  if (deep) findings.push_back(look_at_database(session));
  Value::Array list;
  for (const Finding& finding : findings)
    list.push_back(Value::Object{{"what", finding.what}, {"state", finding.state}, {"detail", finding.detail}});
  return Value::Object{{"checks", std::move(list)}};
}

}  // namespace slipway::cli
