// From an attempt's `resources` to the control groups that its shim makes: where they may be made, and what stands in
// their files. Both versions of control groups; docs/engine.md, "Limits".
#pragma once

#include <string>
#include <vector>

#include "slipway/exec/executor.h"
#include "slipway/exec/limits.h"

namespace slipway::exec {

// A control group to make for one attempt, and "file=value" for each of its files; "?file=value" may be missing.
struct LimitGroup {
  std::filesystem::path folder;
  std::vector<std::string> settings;

  bool operator==(const LimitGroup&) const = default;
};

struct LimitPlan {
  std::vector<LimitGroup> groups;
  std::int64_t data_bytes = 0;  // RLIMIT_DATA, where memory cannot be limited by a group

  bool operator==(const LimitPlan&) const = default;
};

// The groups that this process may make others in. Found once.
class LimitGroups {
 public:
  // With `prepare`, a delegated group of version 2 is made ready: this process moves into a group of its own below it,
  // because a group with limited children must hold no process itself, and hands the controllers down.
  LimitGroups(const GroupPlaces& places, bool prepare);

  [[nodiscard]] const LimitSupport& support() const { return support_; }
  // Nothing for resources without a limit. `processes_max` counts only where there are other limits.
  [[nodiscard]] LimitPlan plan(const AttemptId& id, const Resources& resources, int processes_max) const;

 private:
  struct Controller {
    std::string name;              // "memory", "cpu", "pids"
    std::filesystem::path folder;  // where groups for it may be made
  };
  void find_version_2(const GroupPlaces& places, bool prepare);
  void find_version_1(const GroupPlaces& places);
  void describe();
  [[nodiscard]] bool has(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> settings(std::string_view name, const Resources& resources,
                                                  int processes_max) const;

  LimitSupport support_;
  std::vector<Controller> controllers_;
};

}  // namespace slipway::exec
