// What a retry of a run opens again.
#include <algorithm>

#include "slipway/sched/outcome.h"

namespace slipway::sched {
namespace {

using run::TaskInstance;
using run::TaskState;

bool ended_badly(TaskState state) {
  return state == TaskState::Failed || state == TaskState::UpstreamFailed || state == TaskState::Cancelled;
}

class Retry {
 public:
  explicit Retry(const run::ActiveRun& run)
      : run_(run), bad_(run.dag->tasks.size(), false), whole_(run.dag->tasks.size(), false) {}

  std::vector<TaskKey> keys() {
    for (const auto& [key, instance] : run_.state.tasks)
      if (ended_badly(instance.state)) bad_[at(run_.dag->index.at(key.task))] = true;
    if (std::find(bad_.begin(), bad_.end(), true) == bad_.end()) return {};
    for (const int index : run_.dag->order)
      if (bad_[at(index)] || whole_[at(index)])
        for (const int below : run_.dag->downstream_of(index)) whole_[at(below)] = true;
    open_setups();
    for (std::size_t i = 0; i < whole_.size(); ++i) {
      const dag::TaskRole role = run_.dag->tasks[i].role;
      if (role == dag::TaskRole::OnFailure || role == dag::TaskRole::OnSuccess) whole_[i] = true;
    }
    std::vector<TaskKey> keys;
    for (std::size_t i = 0; i < whole_.size(); ++i) collect(i, keys);
    std::sort(keys.begin(), keys.end());
    return keys;
  }

 private:
  static std::size_t at(int index) { return static_cast<std::size_t>(index); }

  // What a teardown took down is needed again by whatever runs again before it; a teardown that failed by itself needs
  // nothing.
  void open_setups() {
    const std::vector<bool> before = whole_;
    for (std::size_t i = 0; i < before.size(); ++i)
      if (before[i])
        for (const TaskId& setup : run_.dag->tasks[i].setups) whole_[at(run_.dag->index.at(setup))] = true;
  }

  void collect(std::size_t index, std::vector<TaskKey>& keys) const {
    if (!bad_[index] && !whole_[index]) return;
    const TaskId& id = run_.dag->tasks[index].id;
    const auto placeholder = run_.state.tasks.find({id, TaskKey::kUnmapped});
    if (placeholder == run_.state.tasks.end()) return;
    const auto mapped = run_.state.mapped(id);
    const bool expanded = placeholder->second.state == TaskState::Removed;
    if (!whole_[index] && expanded) {
      for (const auto& [key, instance] : mapped)
        if (ended_badly(instance.state)) keys.push_back(key);
    } else if (run::is_terminal(placeholder->second.state) &&
               std::all_of(mapped.begin(), mapped.end(),
                           [](const auto& entry) { return run::is_terminal(entry.second.state); })) {
      keys.push_back(placeholder->first);
    }
  }

  const run::ActiveRun& run_;
  std::vector<bool> bad_;    // an instance of it ended badly
  std::vector<bool> whole_;  // it is decided on anew
};

}  // namespace

std::vector<TaskKey> to_retry(const run::ActiveRun& run) { return Retry(run).keys(); }

}  // namespace slipway::sched
