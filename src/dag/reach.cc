#include "dag/reach.h"

#include <algorithm>
#include <set>

namespace slipway::dag {
namespace {

constexpr std::size_t kNearMax = 64;  // tasks looked at before the answer is computed for all
constexpr std::size_t kRememberedMax = 256;

}  // namespace

Reach::Reach(const Dag& dag) : dag_(dag), upstream_(dag.downstream.size()) {
  for (std::size_t task = 0; task < dag.downstream.size(); ++task)
    for (const int next : dag.downstream[task])
      upstream_[static_cast<std::size_t>(next)].push_back(static_cast<int>(task));
}

bool Reach::is_upstream(int other, int task) {
  std::set<int> seen;
  std::vector<int> open{task};
  while (!open.empty() && seen.size() < kNearMax) {
    const int at = open.back();
    open.pop_back();
    for (const int up : upstream_[static_cast<std::size_t>(at)]) {
      if (up == other) return true;
      if (seen.insert(up).second) open.push_back(up);
    }
  }
  return !open.empty() && below(other)[static_cast<std::size_t>(task)];
}

const std::vector<bool>& Reach::below(int task) {
  if (const auto known = below_.find(task); known != below_.end()) return known->second;
  if (below_.size() >= kRememberedMax) below_.clear();
  std::vector<bool> found(upstream_.size());
  std::vector<int> open{task};
  while (!open.empty()) {
    const int at = open.back();
    open.pop_back();
    for (const int next : dag_.downstream_of(at)) {
      if (found[static_cast<std::size_t>(next)]) continue;
      found[static_cast<std::size_t>(next)] = true;
      open.push_back(next);
    }
  }
  return below_.emplace(task, std::move(found)).first->second;
}

}  // namespace slipway::dag
