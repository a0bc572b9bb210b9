// One rollout from its objects to its end: applied, waited for, asked, and on failure put back. Runs on a thread of its
// own and may wait at any place; what it has done so far lies in the attempt's folder, so that a later daemon goes on.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "slipway/base/log.h"
#include "slipway/base/result.h"
#include "slipway/base/time.h"
#include "slipway/exec/executor.h"
#include "slipway/kube/client.h"
#include "slipway/kube/rollout.h"
#include "slipway/pods/rollouts.h"

namespace slipway::pods {

// What has to be known to go on; a file of the attempt's folder (docs/formats/attempt-folder.md).
struct RolloutPlan {
  AttemptId id;
  DagId dag;
  std::vector<Value> objects;
  bool recreate = false;
  std::optional<exec::ServiceSpec> service;
  Instant started_at;
  // A service's: the revision to put back, if there was one, and what was not there before.
  std::string previous_revision;
  std::vector<Value> previous;
  std::vector<Value> absent;
  bool remembered = false;
  bool applied = false;
  std::optional<exec::Exited> ending;  // it has failed, and what was live is being put back

  [[nodiscard]] Value to_value() const;
  [[nodiscard]] static Result<RolloutPlan> parse(std::string_view text);
};

// What the work needs of the executor's other threads.
class RolloutControl {
 public:
  virtual ~RolloutControl() = default;
  // Waits; false as soon as the daemon ends, or the attempt is to stop and `until_stop`.
  [[nodiscard]] virtual bool pause(Duration duration, bool until_stop) = 0;
  [[nodiscard]] virtual bool ending() const = 0;  // the daemon
  // Nothing: the daemon ends, or the attempt is to stop and `until_stop`.
  [[nodiscard]] virtual std::optional<kube::Answer> ask(kube::ApiCall call, bool until_stop) = 0;
  // A line of the attempt's log.
  virtual void say(const std::string& line) = 0;
  // What it waits for at present, for `task why`.
  virtual void note(const std::string& text) = 0;
  [[nodiscard]] virtual Result<void> keep(const RolloutPlan& plan) = 0;
};

// The record of what is live of a service on a cluster: <home>/services/<name>/cluster.json.
struct ServiceRecord {
  std::string revision;
  std::vector<Value> objects;
};
[[nodiscard]] std::optional<ServiceRecord> read_record(const std::filesystem::path& home, const ServiceId& name);
[[nodiscard]] Result<void> write_record(const std::filesystem::path& home, const ServiceId& name,
                                        const ServiceRecord& record);
[[nodiscard]] Result<void> remove_record(const std::filesystem::path& home, const ServiceId& name);

// Runs the plan to its end. Nothing: the daemon ends, a later one goes on.
[[nodiscard]] std::optional<exec::Exited> run_rollout(RolloutPlan plan, const RolloutOptions& options,
                                                      const Clock& clock, RolloutControl& control);

}  // namespace slipway::pods
