#include "contract/executor_contract.h"

#include "exec/local_fixture.h"

namespace slipway::test {
namespace {

// Real processes on a home of its own; every start of a command leaves a line in a file.
class LocalHarness final : public ExecutorHarness {
 public:
  LocalHarness() { restart(); }

  exec::Executor& executor() override { return *world_.executor_; }
  exec::LaunchSpec spec(const AttemptId& id, const Behaviour& behaviour) override {
    exec::LaunchSpec spec = exec::test::LocalWorld::shell(
        "echo x >>" + starts_file(id).string() + "; printf %s \"$OUTPUT\" >$SLIPWAY_OUTPUT; " +
        (behaviour.until_stopped ? "while :; do sleep 0.01; done" : "exit " + std::to_string(behaviour.exit_code)));
    spec.id = id;
    spec.env["OUTPUT"] = behaviour.output;
    return spec;
  }
  void restart() override {
    world_.executor_.reset();
    auto made = exec::make_local_executor(world_.options_, log_, world_.clock_, Logger());
    SLIPWAY_ASSERT(made.has_value());
    world_.executor_ = *std::move(made);
  }
  bool wait_until(const std::function<bool()>& holds) override { return exec::test::eventually(holds); }
  std::vector<exec::Report> reports() override { return log_.all(); }
  // Running is the exec; the first line of the script follows it by a moment.
  int starts(const AttemptId& id) override {
    std::string text;
    if (exists(exec::attempt_folder(world_.home_.path(), id)))
      wait_until([&] { return !(text = exec::test::read_text(starts_file(id))).empty(); });
    return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  }

 private:
  [[nodiscard]] std::filesystem::path starts_file(const AttemptId& id) const {
    return world_.home_.path() / ("starts." + id.key.str() + "." + std::to_string(id.number));
  }

  ReportLog log_;  // outlives the executor in world_
  exec::test::LocalWorld world_;
};

std::unique_ptr<ExecutorHarness> make_local_harness() { return std::make_unique<LocalHarness>(); }

INSTANTIATE_TEST_SUITE_P(Local, ExecutorContract, ::testing::Values(make_local_harness));

}  // namespace
}  // namespace slipway::test
