// Tasks that wait: for time, a file, an address, a person. Each is asked again after a restart.
#include <future>

#include "slipway/sched/planner.h"
#include "support/engine_world.h"

namespace slipway::engine {
namespace {

using namespace std::chrono_literals;
using run::FailureClass;
using run::RunState;
using run::TaskState;
using test::at_second;
using test::EngineWorld;
using test::key_of;

class WaitsTest : public ::testing::Test, public EngineWorld {
 protected:
  void SetUp() override { boot(); }
  RunId start(const std::string& task, const std::string& more = "") {
    put("dag: d\n" + more + "tasks:\n  w: " + task + "\n  after: {needs: w, noop: true}\n");
    return trigger();
  }
  std::string why(const RunId& id) { return sched::why(daemon->snapshot(), id, key_of("w"), clock.now()); }
  std::optional<ErrorCode> answer(const RunId& id, Approve command = {}) {
    command.run = id;
    command.key = key_of("w");
    if (command.by.empty()) command.by = "ann";
    if (command.may_be.empty()) command.may_be = {"ann", "operator"};
    const auto reply = ask(std::move(command));
    return reply ? std::nullopt : std::optional(reply.error().code);
  }
};

TEST_F(WaitsTest, AWhileEndsByItselfAndHoldsNoSlot) {
  options.slots = 1;
  put("dag: d\ntasks:\n  w: {wait: {for: 10m}}\n  other: {run: 'true'}\n");
  const RunId id = trigger();
  drive(at_second(60));
  EXPECT_EQ(task(id, "w").state, TaskState::Waiting);
  EXPECT_EQ(task(id, "other").state, TaskState::Success);
  EXPECT_EQ(why(id), "waits for 10m, until 2023-11-14T22:23:20.000000Z");
  drive();
  EXPECT_EQ(run(id).state, RunState::Success);
  EXPECT_EQ(clock.now(), at_second(600));
  EXPECT_EQ(task(id, "w").attempts, 0);
}

TEST_F(WaitsTest, AWhileGoesOnOverARestart) {
  const RunId id = start("{wait: {for: 10m}}");
  die();
  clock.advance_to(at_second(300));
  boot();
  drive(at_second(599));
  EXPECT_EQ(task(id, "w").state, TaskState::Waiting);
  drive(at_second(600));
  EXPECT_EQ(run(id).state, RunState::Success);
}

TEST_F(WaitsTest, AWhileIsElapsedTimeAndAnInstantIsTheClocks) {
  const RunId elapsed = start("{wait: {for: 10m}}");
  step();
  clock.set_wall(clock.now() + 1h);
  drive(at_second(3600 + 599));
  EXPECT_EQ(task(elapsed, "w").state, TaskState::Waiting);
  drive(at_second(3600 + 600));
  EXPECT_EQ(run(elapsed).state, RunState::Success);
}

TEST_F(WaitsTest, AnInstantIsRenderedOnce) {
  const RunId id = start("{wait: {until: \"${{ add_time(run.logical_date, '1h') }}\"}, timeout: 2h}");
  step();
  EXPECT_EQ(task(id, "w").waiting->due, at_second(3600));
  clock.set_wall(clock.now() + 1h);
  step();
  EXPECT_EQ(run(id).state, RunState::Success);
}

TEST_F(WaitsTest, WhatIsNoInstantFails) {
  const RunId id = start("{wait: {until: \"${{ params.t }}\"}}", "params: {t: {default: soon}}\n");
  drive();
  EXPECT_EQ(task(id, "w").failure, FailureClass::Render);
  EXPECT_EQ(task(id, "w").reason.substr(0, 11), "wait.until:");
}

TEST_F(WaitsTest, ATimeoutFailsTheTask) {
  const RunId id = start("{wait: {file: /data/in.csv}, timeout: 5m}");
  drive();
  EXPECT_EQ(task(id, "w").state, TaskState::Failed);
  EXPECT_EQ(task(id, "w").failure, FailureClass::Timeout);
  EXPECT_EQ(task(id, "w").reason, "waited longer than its timeout of 5m: for the file /data/in.csv");
  EXPECT_EQ(clock.now(), at_second(300));
  EXPECT_TRUE(prober.watched.empty());
}

TEST_F(WaitsTest, AFileIsLookedForUntilItIsThere) {
  const RunId id = start("{wait: {file: in.csv, poll: 5s}}");
  step();
  ASSERT_EQ(prober.watched.size(), 1U);
  const Look look = prober.watched.begin()->second;
  EXPECT_EQ(look.target, "/home/slipway/workspace/" + id.str() + "/in.csv");
  EXPECT_EQ(look.poll, 5s);
  prober.look(*daemon, {});
  step();
  auto asked = std::async(std::launch::async, [&] { return daemon->why(id, key_of("w"), 1min); });
  while (asked.wait_for(0s) != std::future_status::ready) step();
  EXPECT_EQ(asked.get().value(), "waits for the file " + look.target + "; at the last look: nothing yet");
  prober.look(*daemon, {look.target});
  step();
  EXPECT_EQ(run(id).state, RunState::Success);
  EXPECT_TRUE(prober.watched.empty());
}

TEST_F(WaitsTest, AnAddressIsLookedAtAgainAfterARestart) {
  const RunId id = start("{wait: {http: \"https://x.example/ready\"}}");
  step();
  die();
  boot();
  step();
  ASSERT_EQ(prober.watched.size(), 1U);
  EXPECT_EQ(prober.watched.begin()->second.kind, dag::WaitKind::Http);
  prober.look(*daemon, {"https://x.example/ready"});
  step();
  EXPECT_EQ(run(id).state, RunState::Success);
}

TEST_F(WaitsTest, LateNewsOfAnotherGenerationIsDropped) {
  const RunId id = start("{wait: {file: /f}, timeout: 1m}");
  drive();
  ASSERT_EQ(run(id).state, RunState::Failed);
  ASSERT_TRUE(ask(RetryRun{id}));
  daemon->on_seen({id, key_of("w"), 1, true, "/f exists"});
  step();
  EXPECT_EQ(task(id, "w").state, TaskState::Waiting);
  daemon->on_seen({id, key_of("w"), 2, true, "/f exists"});
  step();
  EXPECT_EQ(run(id).state, RunState::Success);
}

TEST_F(WaitsTest, ACancelEndsTheWait) {
  const RunId id = start("{wait: {file: /f}}");
  step();
  ASSERT_TRUE(ask(CancelRun{id}));
  EXPECT_EQ(task(id, "w").state, TaskState::Cancelled);
  EXPECT_EQ(run(id).state, RunState::Cancelled);
  EXPECT_TRUE(prober.watched.empty());
}

constexpr const char* kAsk =
    "{approve: {message: \"ship ${{ run.ds }}?\", by: [ann, admin], fields: {share: {type: number, maximum: 1, "
    "default: "
    "0.5}, note: {type: string, required: true}}}}";

TEST_F(WaitsTest, AnApprovalGivesItsAnswersAsOutputs) {
  const RunId id = start(kAsk);
  drive();
  EXPECT_EQ(why(id), "waits for a person: ship 2023-11-14?; answer with slipway task approve " + id.str() + " w");
  Approve yes;
  yes.fields = Value::Object{{"note", "fine"}};
  EXPECT_EQ(answer(id, yes), std::nullopt);
  EXPECT_EQ(task(id, "w").outputs.dump(), R"({"note":"fine","share":0.5})");
  EXPECT_EQ(task(id, "w").reason, "approved by ann");
  EXPECT_EQ(run(id).state, RunState::Success);
  EXPECT_EQ(answer(id, yes), ErrorCode::Conflict);
}

TEST_F(WaitsTest, AnAnswerIsCheckedAndMayComeAgain) {
  const RunId id = start(kAsk);
  drive();
  EXPECT_EQ(answer(id), ErrorCode::InvalidArgument);
  Approve much;
  much.fields = Value::Object{{"note", "x"}, {"share", 2}};
  EXPECT_EQ(answer(id, much), ErrorCode::InvalidArgument);
  Approve bob;
  bob.by = "bob";
  bob.may_be = {"bob", "operator"};
  EXPECT_EQ(answer(id, bob), ErrorCode::Forbidden);
  EXPECT_EQ(task(id, "w").state, TaskState::Waiting);
}

TEST_F(WaitsTest, ARejectionFailsTheTask) {
  const RunId id = start(kAsk);
  drive();
  die();
  boot();
  Approve no;
  no.approved = false;
  no.reason = "not on a Friday";
  EXPECT_EQ(answer(id, no), std::nullopt);
  EXPECT_EQ(task(id, "w").failure, FailureClass::User);
  EXPECT_EQ(task(id, "w").reason, "rejected by ann: not on a Friday");
  EXPECT_EQ(task(id, "after").state, TaskState::UpstreamFailed);
}

TEST_F(WaitsTest, OnlyWhatWaitsForAPersonIsAnswered) {
  EXPECT_EQ(answer(RunId("nothing")), ErrorCode::NotFound);
  const RunId id = start("{wait: {for: 1h}}");
  drive(at_second(1));
  EXPECT_EQ(answer(id), ErrorCode::Conflict);
  Approve other;
  other.run = id;
  other.key = key_of("x");
  EXPECT_EQ(ask(other).error().code, ErrorCode::NotFound);
}

}  // namespace
}  // namespace slipway::engine
