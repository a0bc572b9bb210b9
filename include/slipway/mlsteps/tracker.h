// Where a training is told to others: an MLflow server or a folder in MLflow's layout. A tracker never fails a
// training: what it cannot deliver is said once and kept.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "slipway/base/enum_table.h"
#include "slipway/base/result.h"
#include "slipway/base/time.h"
#include "slipway/http/transport.h"

namespace slipway::mlsteps {

// The text is MLflow's word for it.
enum class RunStatus : std::uint8_t { Running, Finished, Failed, Killed };
inline constexpr EnumTable<RunStatus, 4> kRunStatuses{{{
    {RunStatus::Running, "RUNNING", "it trains"},
    {RunStatus::Finished, "FINISHED", "it ended well"},
    {RunStatus::Failed, "FAILED", "it ended with an error"},
    {RunStatus::Killed, "KILLED", "it was interrupted"},
}}};

struct TrackedRun {
  std::string experiment = "Default";
  std::string name;
  std::string id;  // 32 hex digits; of an existing run to go on with, or of a new one. A server gives new ones its own
  bool exists = false;
  Instant start;
  std::map<std::string, std::string> params;
  std::map<std::string, std::string> tags;
};

// Called by one thread.
class Tracker {
 public:
  virtual ~Tracker() = default;
  virtual void start(const TrackedRun& run) = 0;
  virtual void metrics(std::int64_t step, Instant at, const std::map<std::string, double>& values) = 0;
  virtual void end(RunStatus status, Instant at) = 0;
  // The id under which the run is known; "" as long as a server has not answered.
  [[nodiscard]] virtual std::string run_id() const = 0;
};

// Tells what went wrong; called by the thread that calls the tracker.
using TrackerNote = std::function<void(std::string_view)>;

// ROOT/<experiment id>/<run id>/{meta.yaml, params/, metrics/, tags/, artifacts/}, which `mlflow ui` shows.
[[nodiscard]] std::unique_ptr<Tracker> track_in_folder(std::filesystem::path root, TrackerNote note);

struct MlflowServer {
  std::string uri;                                // http(s)://host[:port][/path]
  std::string token;                              // bearer token, or
  std::string user, password;                     // basic authentication; empty: none
  std::filesystem::path spool;                    // what could not be sent is kept here, and sent by the next one
  Duration retry = std::chrono::seconds(1);       // after a failure, doubled up to a minute
  Duration end_limit = std::chrono::seconds(10);  // how long end() waits for what is left
};

// The REST API 2.0 of MLflow. Requests are sent by a thread of its own; a server that does not answer costs the
// training nothing but end_limit.
[[nodiscard]] std::unique_ptr<Tracker> track_by_mlflow(MlflowServer server, std::unique_ptr<http::Transport> transport,
                                                       TrackerNote note);

}  // namespace slipway::mlsteps
