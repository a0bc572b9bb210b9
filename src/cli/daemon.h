// The composition root: the one place that names concrete adapters and puts the engine, its store, executor, DAG folder
// and API together.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/cluster.h"
#include "cli/config.h"
#include "slipway/base/log.h"
#include "slipway/base/result.h"
#include "slipway/engine/engine.h"
#include "slipway/engine/prune.h"
#include "slipway/store/store.h"

namespace slipway::cli {

struct DaemonOptions {
  std::string home;  // absolute
  std::string dags;  // absolute folder of DAG files; empty = none is watched
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  std::vector<std::string> names;          // of a proxy in front: requests may be addressed to them
  bool api = true;                         // serve /api/v1 and write <home>/daemon.json
  engine::Retention retention;             // of runs that are over
  int slots = 0;                           // 0 = one per core
  std::string tool;                        // absolute path of this binary
  std::map<std::string, std::string> env;  // the environment that tasks get an allow-list of
  std::map<std::string, NotifyTarget, std::less<>> notify_targets;
  ClusterSettings cluster;
  bool processes_only = false;  // tasks that have a command run here, whatever their file says
};

class Daemon {
 public:
  // Locks the home, opens the store, recovers, reads the DAG folder once, starts all threads. Conflict if another
  // daemon holds the home.
  [[nodiscard]] static Result<std::unique_ptr<Daemon>> start(DaemonOptions options, Logger log);
  // Stops all threads; running tasks and services go on.
  ~Daemon();

  [[nodiscard]] const std::string& url() const;  // "http://127.0.0.1:8480", for this machine; empty without api
  [[nodiscard]] engine::Engine& engine();
  [[nodiscard]] const store::Store& store() const;
  // To be called often, by one thread: keeps those who listen to events listening.
  void beat();
  // Set once the engine's thread has ended with an error: the process must end with exit code 70.
  [[nodiscard]] std::optional<Error> failure() const;

 private:
  struct Parts;
  explicit Daemon(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace slipway::cli
