#include "slipway/exec/routed_executor.h"

#include "slipway/base/assert.h"

namespace slipway::exec {
namespace {

constexpr std::string_view kLocal = "local";

}  // namespace

RoutedExecutor::RoutedExecutor(Routes routes) : routes_(std::move(routes)) { SLIPWAY_ASSERT(has(kLocal)); }

bool RoutedExecutor::has(std::string_view executor) const {
  return routes_.find(executor.empty() ? kLocal : executor) != routes_.end();
}

Executor& RoutedExecutor::of(std::string_view executor) {
  const auto found = routes_.find(executor.empty() ? kLocal : executor);
  SLIPWAY_ASSERT(found != routes_.end());
  return *found->second;
}

void RoutedExecutor::launch(LaunchSpec spec) {
  Executor& executor = of(spec.executor);
  executor.launch(std::move(spec));
}

void RoutedExecutor::launch_all(std::vector<LaunchSpec> specs) {
  std::map<Executor*, std::vector<LaunchSpec>> sorted;
  for (LaunchSpec& spec : specs) {
    Executor& executor = of(spec.executor);
    sorted[&executor].push_back(std::move(spec));
  }
  for (auto& [executor, own] : sorted) executor->launch_all(std::move(own));
}

void RoutedExecutor::adopt(const std::vector<OpenAttempt>& attempts) {
  std::map<Executor*, std::vector<OpenAttempt>> sorted;
  for (const OpenAttempt& open : attempts) sorted[&of(open.executor)].push_back(open);
  for (auto& [executor, own] : sorted) executor->adopt(own);
}

// Who does not know the attempt does nothing.
void RoutedExecutor::stop(const AttemptId& id, bool now) {
  for (const auto& [name, executor] : routes_) executor->stop(id, now);
}

void RoutedExecutor::forget(const AttemptId& id) {
  for (const auto& [name, executor] : routes_) executor->forget(id);
}

std::string RoutedExecutor::note(const AttemptId& id) const {
  for (const auto& [name, executor] : routes_)
    if (std::string found = executor->note(id); !found.empty()) return found;
  return {};
}

}  // namespace slipway::exec
