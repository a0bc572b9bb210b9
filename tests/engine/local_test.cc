// The engine with the real store and real processes: what the simulator leaves to fakes.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <condition_variable>
#include <fstream>
#include <mutex>
#include <thread>

#include "slipway/engine/engine.h"
#include "slipway/exec/local_executor.h"
#include "slipway/store/sqlite_store.h"
#include "support/engine_world.h"
#include "support/temp_folder.h"

namespace slipway::engine {
namespace {

using namespace std::chrono_literals;
using run::RunState;
using run::TaskState;

constexpr auto kPatience = 60s;

// One life of a daemon on a home.
class Daemon final : public Observer, public exec::ReportSink {
 public:
  explicit Daemon(const std::filesystem::path& home) {
    auto opened = store::open_sqlite((home / "slipway.db").string());
    EXPECT_TRUE(opened);
    store_ = *std::move(opened);
    exec::LocalOptions local;
    local.home = home;
    local.shimd_idle = 1s;
    auto made = exec::make_local_executor(local, *this, clock_, Logger());
    EXPECT_TRUE(made);
    executor_ = *std::move(made);
    Options options;
    options.home = home.string();
    options.base_env = {{"PATH", "/usr/bin:/bin"}};
    engine_ = std::make_unique<Engine>(options, *store_, *executor_, secrets_, clock_, rng_, Logger());
    engine_->set_observer(this);
    thread_ = std::thread([this] { ended_ = engine_->run(); });
  }
  ~Daemon() override {
    engine_->request_stop();
    thread_.join();
    EXPECT_TRUE(ended_) << ended_.error().message;
    executor_.reset();
  }

  Reply ask(Command command) {
    const auto reply = engine_->call(std::move(command), kPatience);
    EXPECT_TRUE(reply) << reply.error().message;
    return reply.value_or(Reply{});
  }
  // Waits for the committed event that `wanted` accepts.
  bool wait(const std::function<bool(const run::Event&)>& wanted) {
    std::unique_lock lock(mutex_);
    std::size_t seen = 0;
    return arrived_.wait_for(lock, kPatience, [&] {
      for (; seen < events_.size(); ++seen)
        if (wanted(events_[seen])) return true;
      return false;
    });
  }
  run::Run finished(const RunId& id) {
    EXPECT_TRUE(wait([&](const run::Event& event) {
      const auto* moved = std::get_if<run::RunMoved>(&event.body);
      return event.run == id && moved != nullptr && run::is_terminal(moved->to);
    }));
    const auto reader = store_->read();
    const auto run = (*reader)->get_run(id);
    EXPECT_TRUE(run);
    return run.value_or(run::Run());
  }
  bool active(const RunId& id) {
    return wait([&](const run::Event& event) {
      const auto* started = std::get_if<run::AttemptStarted>(&event.body);
      return event.run == id && started != nullptr && started->to == run::AttemptState::Running;
    });
  }
  void expect_sound() {
    const auto findings = store_->check();
    ASSERT_TRUE(findings);
    for (const auto& finding : *findings) ADD_FAILURE() << finding.invariant << ": " << finding.detail;
  }

  void on_committed(const std::vector<run::Event>& events) override {
    const std::lock_guard lock(mutex_);
    events_.insert(events_.end(), events.begin(), events.end());
    arrived_.notify_all();
  }
  void on_report(exec::Report report) override { engine_->on_report(std::move(report)); }

 private:
  SystemClock clock_;
  Rng rng_{entropy()};
  test::FakeSecrets secrets_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<run::Event> events_;  // guarded by mutex_
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<exec::Executor> executor_;
  std::unique_ptr<Engine> engine_;
  Result<void> ended_ = Error{};
  std::thread thread_;
};

Command dag_file(const std::string& text) { return DagFolder{{{"d.yaml", text, true}}, true}; }
Command start() { return TriggerRun{DagId("d"), {}, "", {}}; }

TEST(LocalEngine, RunsAChainWithOutputsFilesAndRetries) {
  const test::TempFolder home;
  Daemon daemon(home.path());
  daemon.ask(
      dag_file("dag: d\n"
               "tasks:\n"
               "  make: {run: 'echo text > file; echo ''{\"n\": 20}'' > \"$SLIPWAY_OUTPUT\"', outputs: {n: integer}}\n"
               "  flaky: {run: 'test \"$SLIPWAY_ATTEMPT\" = 2', retry: {limit: 1, delay: 10ms}}\n"
               "  use:\n"
               "    needs: [make, flaky]\n"
               "    env: {N: '${{ tasks.make.outputs.n + 1 }}'}\n"
               "    run: 'test \"$N\" = 21; test \"$(cat \"$SLIPWAY_WORKSPACE/file\")\" = text'\n"));
  const run::Run run = daemon.finished(daemon.ask(start()).run);
  EXPECT_EQ(run.state, RunState::Success) << (run.failures.empty() ? "" : run.failures.front());
  EXPECT_EQ(run.tasks.at(test::key_of("flaky")).attempts, 2);
  daemon.expect_sound();
}

TEST(LocalEngine, ATaskOutlivesTheDaemonAndItsResultIsFound) {
  const test::TempFolder home;
  RunId id;
  const std::string gate = (home.path() / "gate").string();
  ASSERT_EQ(::mkfifo(gate.c_str(), 0600), 0);
  {
    Daemon daemon(home.path());
    daemon.ask(dag_file("dag: d\ntasks:\n  a:\n    run: 'read line < " + gate +
                        "; echo \"{\\\"n\\\": $line}\" > \"$SLIPWAY_OUTPUT\"'\n    outputs: {n: integer}\n"));
    id = daemon.ask(start()).run;
    ASSERT_TRUE(daemon.active(id));
  }
  Daemon next(home.path());
  std::thread opener([&] { std::ofstream(gate) << "7\n"; });
  const run::Run run = next.finished(id);
  opener.join();
  EXPECT_EQ(run.state, RunState::Success);
  EXPECT_EQ(run.tasks.at(test::key_of("a")).outputs.dump(), R"({"n":7})");
  EXPECT_EQ(run.attempts.size(), 1U);
  next.expect_sound();
}

TEST(LocalEngine, CancelAndTimeOutEndRealProcesses) {
  const test::TempFolder home;
  Daemon daemon(home.path());
  daemon.ask(dag_file("dag: d\nmax_active_runs: 2\ntasks:\n  a: {run: 'sleep 600 & wait', grace: 1s}\n"));
  const RunId cancelled = daemon.ask(start()).run;
  ASSERT_TRUE(daemon.active(cancelled));
  daemon.ask(CancelRun{cancelled, false});
  EXPECT_EQ(daemon.finished(cancelled).state, RunState::Cancelled);
  daemon.ask(dag_file("dag: d\ntasks:\n  a: {run: 'sleep 600', timeout: 100ms, grace: 1s}\n"));
  const run::Run timed_out = daemon.finished(daemon.ask(start()).run);
  EXPECT_EQ(timed_out.state, RunState::Failed);
  EXPECT_EQ(timed_out.tasks.at(test::key_of("a")).failure, run::FailureClass::Timeout);
  daemon.expect_sound();
}

}  // namespace
}  // namespace slipway::engine
