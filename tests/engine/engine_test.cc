#include <thread>

#include "support/engine_world.h"

namespace slipway::engine {
namespace {

using namespace std::chrono_literals;
using run::RunState;
using run::TaskState;
using test::at_second;
using test::EngineWorld;
using test::Script;

constexpr const char* kChain = "dag: d\ntasks:\n  a: {run: 'true'}\n  b: {needs: a, run: 'true'}\n";

class EngineTest : public ::testing::Test, public EngineWorld {
 protected:
  void SetUp() override { boot(); }
};

Script exits(int code) {
  Script script;
  script.exit_code = code;
  return script;
}

TEST_F(EngineTest, RunsAChainToItsEnd) {
  put(kChain);
  const RunId id = trigger();
  drive();
  EXPECT_EQ(run(id).state, RunState::Success);
  EXPECT_EQ(machine.processes().size(), 2U);
  EXPECT_TRUE(daemon->snapshot().runs.empty()) << "finished runs leave memory";
  EXPECT_TRUE(daemon->snapshot().dags.at(DagId("d")).active.empty());
}

TEST_F(EngineTest, NothingHappensOutsideBeforeItsCommit) {
  std::vector<std::string> order;
  put(kChain);
  store->set_hooks({}, [&](const store::Batch&) {
    order.emplace_back("commit");
    return Result<void>();
  });
  executor->set_hook([&](std::string_view what) { order.emplace_back(what); });
  daemon->submit(TriggerRun{DagId("d"), {}, "", {}}, [&](const Result<Reply>& reply) {
    order.emplace_back("reply");
    EXPECT_EQ(disk->runs.count(reply->run), 1U);
  });
  step();
  EXPECT_EQ(order, (std::vector<std::string>{"commit", "reply", "before launch", "after launch"}));
}

TEST_F(EngineTest, AResultWhatItTriggersAndTheNextIntentAreOneCommit) {
  put(kChain);
  const RunId id = trigger();
  executor->pump();
  const std::uint64_t before = disk->commits;
  step();
  EXPECT_EQ(disk->commits, before + 1);
  EXPECT_EQ(task(id, "a").state, TaskState::Success);
  EXPECT_EQ(task(id, "b").state, TaskState::Queued);
}

TEST_F(EngineTest, AQuietStepCommitsNothing) {
  put(kChain);
  const std::uint64_t before = disk->commits;
  EXPECT_FALSE(step().has_value());
  EXPECT_EQ(disk->commits, before);
}

TEST_F(EngineTest, OutputsFlowDownstream) {
  put("dag: d\n"
      "tasks:\n"
      "  a: {run: 'true', outputs: {n: integer}}\n"
      "  b: {needs: a, run: 'true', env: {N: '${{ tasks.a.outputs.n + 1 }}'}}\n");
  scripts["a"].output = R"({"n": 41})";
  const RunId id = trigger();
  drive();
  EXPECT_EQ(run(id).state, RunState::Success);
  EXPECT_EQ(launched.at({id, test::key_of("b"), 1}).env.at("N"), "42");
}

TEST_F(EngineTest, RetriesAndThenFails) {
  put("dag: d\ntasks:\n  a: {run: 'true', retry: {limit: 2, delay: 10s, backoff: 1}}\n");
  scripts["a"] = exits(7);
  const RunId id = trigger();
  drive();
  EXPECT_EQ(run(id).attempts.size(), 3U);
  EXPECT_EQ(run(id).failures, std::vector<std::string>{"a: exit code 7 (user)"});
  EXPECT_GE(clock.now(), at_second(10));
  EXPECT_LE(clock.now(), at_second(20));
}

TEST_F(EngineTest, UnusableOutputIsACheckFailure) {
  for (const auto& [output, reason] : std::map<std::string, std::string>{
           {"[1]", "output-invalid: $SLIPWAY_OUTPUT is no JSON object"}, {"{", "output-invalid: "}}) {
    put("dag: d\ntasks:\n  a: {run: 'true'}\n");
    scripts["a"].output = output;
    const RunId id = trigger();
    drive();
    EXPECT_EQ(task(id, "a").failure, run::FailureClass::Check);
    EXPECT_EQ(task(id, "a").reason.rfind(reason, 0), 0U) << task(id, "a").reason;
  }
}

TEST_F(EngineTest, TimeOutsStopTheAttempt) {
  put("dag: d\ntasks:\n  a: {run: 'true', timeout: 60s}\n");
  scripts["a"].run_time.reset();
  scripts["a"].stop_delay = 3s;
  const RunId id = trigger();
  drive();
  EXPECT_EQ(task(id, "a").failure, run::FailureClass::Timeout);
  EXPECT_EQ(clock.now(), at_second(63));
}

TEST_F(EngineTest, TimeOutsCountElapsedTimeWhenTheClockIsSet) {
  put("dag: d\ntasks:\n  a: {run: 'true', timeout: 60s}\n");
  scripts["a"].run_time.reset();
  const RunId id = trigger();
  executor->pump();
  step();
  clock.advance(10s);
  clock.set_wall(clock.now() + std::chrono::hours(24));
  EXPECT_EQ(step(), clock.now() + 50s);
  EXPECT_EQ(task(id, "a").state, TaskState::Active);
  clock.set_wall(clock.now() - std::chrono::hours(48));
  EXPECT_EQ(step(), clock.now() + 50s);
}

TEST_F(EngineTest, RunTimeOutsAndRetriesCountElapsedTimeToo) {
  put("dag: d\ntimeout: 100s\ntasks:\n  a: {run: 'true', retry: {limit: 1, delay: 40s}}\n");
  scripts["a"].exit_code = 1;
  const RunId id = trigger();
  executor->pump();
  step();
  ASSERT_EQ(task(id, "a").state, run::TaskState::UpForRetry);
  const Duration left = *step() - clock.now();
  for (const Duration by : {Duration(24h), Duration(-48h), Duration(1h), Duration(-1h)}) {
    clock.set_wall(clock.now() + by);
    EXPECT_EQ(step(), clock.now() + left);
    EXPECT_EQ(run(id).state, run::RunState::Running);
  }
  EXPECT_EQ(run(id).attempts.size(), 1U);
  clock.set_wall(clock.now() + 1s);
  EXPECT_EQ(step(), clock.now() + left - 1s) << "a clock that is only corrected";
}

TEST_F(EngineTest, TicksMakeRunsWithTheirInterval) {
  put("dag: d\nschedule: {name: s, every: 1h}\ntasks:\n  a: {run: 'true'}\n");
  drive(at_second(7200));
  ASSERT_EQ(disk->runs.size(), 2U);
  const run::RunHeader& first = disk->runs.begin()->second.header;
  EXPECT_EQ(first.trigger, run::TriggerKind::Schedule);
  EXPECT_EQ(first.interval_end - first.interval_start, std::chrono::hours(1));
  EXPECT_EQ(first.logical_date, first.interval_end);
  EXPECT_EQ(disk->dags.at(DagId("d")).cursors.at("s"), std::next(disk->runs.begin())->second.header.logical_date);
}

TEST_F(EngineTest, ASecondReportChangesNothing) {
  put(kChain);
  const RunId id = trigger();
  drive();
  const std::uint64_t before = disk->commits;
  const AttemptId attempt{id, test::key_of("a"), 1};
  daemon->on_report(exec::Exited{attempt, clock.now(), 9});
  daemon->on_report(exec::Running{attempt, "x", clock.now()});
  daemon->on_report(exec::Exited{{RunId("r9"), test::key_of("a"), 1}, clock.now(), 9});
  step();
  EXPECT_EQ(disk->commits, before);
  EXPECT_EQ(run(id).state, RunState::Success);
}

TEST_F(EngineTest, ALostAttemptIsReplacedOnceItsEndIsProved) {
  put("dag: d\ntasks:\n  a: {run: 'true'}\n");
  scripts["a"].kind = Script::Kind::Vanishes;
  scripts["a"].run_time = 5s;
  const RunId id = trigger();
  drive(at_second(600));
  EXPECT_EQ(task(id, "a").state, TaskState::Active);
  EXPECT_EQ(run(id).attempts.size(), 1U);
  EXPECT_EQ(run(id).attempts.begin()->second.state, run::AttemptState::Lost);
  daemon->on_report(exec::Lost{{id, test::key_of("a"), 1}, "node deleted", true});
  scripts["a"] = Script();
  drive();
  EXPECT_EQ(run(id).state, RunState::Success);
  EXPECT_EQ(task(id, "a").infra_used, 1);
}

TEST_F(EngineTest, AFailedCommitStopsEverythingAndAcknowledgesNothing) {
  put(kChain);
  store->set_hooks([](const store::Batch&) -> Result<void> { return Error{ErrorCode::Io, "fsync failed", {}}; }, {});
  std::optional<Result<Reply>> reply;
  daemon->submit(TriggerRun{DagId("d"), {}, "", {}}, [&](Result<Reply> r) { reply = std::move(r); });
  const auto stepped = daemon->step();
  ASSERT_FALSE(stepped);
  EXPECT_EQ(stepped.error().message, "fsync failed");
  ASSERT_TRUE(reply.has_value());
  EXPECT_FALSE(*reply);
  EXPECT_TRUE(machine.processes().empty());
}

class CountingObserver final : public Observer {
 public:
  void on_committed(const std::vector<run::Event>& events) override { seen += events.size(); }
  std::size_t seen = 0;
};

TEST_F(EngineTest, ObserversSeeEveryCommittedEvent) {
  CountingObserver observer;
  daemon->set_observer(&observer);
  put(kChain);
  const RunId id = trigger();
  drive();
  EXPECT_EQ(observer.seen, disk->events.at(id).size());
}

TEST_F(EngineTest, AFullQueueRefusesAtOnceButTakesReports) {
  die();
  options.queue_max = 1;
  boot();
  daemon->submit(PauseDag{DagId("x"), true}, {});
  std::optional<Result<Reply>> reply;
  daemon->submit(PauseDag{DagId("x"), true}, [&](Result<Reply> r) { reply = std::move(r); });
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->error().code, ErrorCode::Unavailable);
  daemon->on_report(exec::Exited{{RunId("r"), test::key_of("a"), 1}, clock.now(), 0});
  step();
}

TEST_F(EngineTest, AnswersFromItsOwnThreadUntilItIsStopped) {
  put("dag: d\ntasks:\n  a: {run: 'true'}\n  b: {needs: a, run: 'true'}\n");
  const RunId before = trigger();
  die();
  boot();
  daemon = std::make_unique<Engine>(options, *store, *executor, secrets, clock, rng, Logger());
  executor->set_sink(daemon.get());
  Result<void> ended = Error{};
  std::thread thread([&] { ended = daemon->run(); });
  const auto reply = daemon->call(TriggerRun{DagId("d"), {}, "k", {}}, 60s);
  EXPECT_TRUE(reply);
  const auto why = daemon->why(before, test::key_of("b"), 60s);
  EXPECT_EQ(why.value_or(""), "waits for `a` (queued); its rule is all_success");
  daemon->request_stop();
  thread.join();
  EXPECT_TRUE(ended);
}

TEST_F(EngineTest, CallersThatStillWaitAreToldWhenItEnds) {
  std::optional<Result<Reply>> reply;
  daemon->submit(PauseDag{DagId("x"), true}, [&](Result<Reply> r) { reply = std::move(r); });
  daemon.reset();
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->error().code, ErrorCode::Unavailable);
}

}  // namespace
}  // namespace slipway::engine
