// Several executors as one: each attempt goes to the one it names.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "slipway/exec/executor.h"

namespace slipway::exec {

// By name, "local" among them: attempts that name none are its. What is launched on an executor that is not there is a
// fault of the caller, who asks has() before.
class RoutedExecutor final : public Executor {
 public:
  using Routes = std::map<std::string, std::unique_ptr<Executor>, std::less<>>;
  explicit RoutedExecutor(Routes routes);

  [[nodiscard]] std::string_view name() const override { return "local"; }
  [[nodiscard]] bool has(std::string_view executor) const override;
  void launch(LaunchSpec spec) override;
  void launch_all(std::vector<LaunchSpec> specs) override;
  void stop(const AttemptId& id, bool now) override;
  void adopt(const std::vector<OpenAttempt>& attempts) override;
  void forget(const AttemptId& id) override;
  [[nodiscard]] std::string note(const AttemptId& id) const override;

 private:
  [[nodiscard]] Executor& of(std::string_view executor);

  Routes routes_;
};

}  // namespace slipway::exec
