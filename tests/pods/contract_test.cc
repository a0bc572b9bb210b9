#include "contract/executor_contract.h"

#include "pods/pod_fixture.h"

namespace slipway::test {
namespace {

// Pods of a cluster whose kubelet starts them at once; it outlives the daemon.
class PodHarness final : public ExecutorHarness {
 public:
  PodHarness() { world_.start(); }

  exec::Executor& executor() override { return *world_.executor; }
  exec::LaunchSpec spec(const AttemptId& id, const Behaviour& behaviour) override {
    exec::LaunchSpec spec = pods::test::PodWorld::spec(id);
    spec.env["FAKE_EXIT"] = std::to_string(behaviour.exit_code);
    spec.env["FAKE_OUTPUT"] = behaviour.output;
    if (behaviour.until_stopped) spec.env["FAKE_FOREVER"] = "yes";
    return spec;
  }
  void restart() override { world_.start(); }
  bool wait_until(const std::function<bool()>& holds) override { return pods::test::eventually(holds); }
  std::vector<exec::Report> reports() override { return world_.reports.all(); }
  int starts(const AttemptId& id) override { return world_.cluster.starts(world_.name(id)); }

 private:
  pods::test::PodWorld world_;
};

std::unique_ptr<ExecutorHarness> make_pod_harness() { return std::make_unique<PodHarness>(); }

INSTANTIATE_TEST_SUITE_P(Pods, ExecutorContract, ::testing::Values(make_pod_harness));

}  // namespace
}  // namespace slipway::test
