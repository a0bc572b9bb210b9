#include "support/fake_executor.h"

#include "contract/executor_contract.h"
#include "support/sim_clock.h"

namespace slipway::test {
namespace {

class FakeHarness final : public ExecutorHarness, public exec::ReportSink {
 public:
  FakeHarness() : machine_([this](const exec::LaunchSpec& spec) { return scripts_.at(spec.id); }) { restart(); }

  exec::Executor& executor() override { return *executor_; }
  exec::LaunchSpec spec(const AttemptId& id, const Behaviour& behaviour) override {
    Script script;
    script.exit_code = behaviour.exit_code;
    script.output = behaviour.output;
    script.start_delay = std::chrono::milliseconds(5);
    script.stop_delay = std::chrono::seconds(3);
    script.run_time = behaviour.until_stopped ? std::nullopt : std::optional(Duration(10));
    scripts_[id] = script;
    exec::LaunchSpec spec;
    spec.id = id;
    return spec;
  }
  void restart() override {
    executor_ = std::make_unique<FakeExecutor>(machine_, clock_, rng_);
    executor_->set_sink(this);
  }
  bool wait_until(const std::function<bool()>& holds) override {
    for (int i = 0; i < 100 && !holds(); ++i) {
      executor_->pump();
      if (const auto due = executor_->next_due()) clock_.advance_to(*due);
    }
    return holds();
  }
  std::vector<exec::Report> reports() override { return reports_; }
  int starts(const AttemptId& id) override {
    const auto* process = machine_.find(id);
    return process == nullptr ? 0 : process->starts;
  }
  void on_report(exec::Report report) override { reports_.push_back(std::move(report)); }

 private:
  std::map<AttemptId, Script> scripts_;
  FakeMachine machine_;
  SimClock clock_{Instant(std::chrono::seconds(1'700'000'000))};
  Rng rng_{1};
  std::unique_ptr<FakeExecutor> executor_;
  std::vector<exec::Report> reports_;
};

INSTANTIATE_TEST_SUITE_P(Fake, ExecutorContract, ::testing::Values([] { return std::make_unique<FakeHarness>(); }));

}  // namespace
}  // namespace slipway::test
