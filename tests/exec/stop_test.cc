// Stopping reaches the whole tree, politely first.
#include "exec/local_fixture.h"

namespace slipway::exec {
namespace {

using test::read_text;

class StopTest : public test::LocalFixture {};

constexpr char kIgnoreTerm[] = "trap '' TERM; echo $$ >pid; while :; do sleep 0.01; done";

TEST_F(StopTest, ATaskMayEndInItsOwnWay) {
  start();
  executor_->launch(shell("trap 'echo bye; exit 3' TERM; echo $$ >pid; while :; do sleep 0.01; done"));
  pid_in("pid");
  executor_->stop(id(), false);
  executor_->stop(id(), false);
  const auto exited = sink_.wait<Exited>(id());
  ASSERT_TRUE(exited);
  EXPECT_EQ(exited->exit_code, 3);
  EXPECT_NE(output().find("bye\n"), std::string::npos) << output();
}

TEST_F(StopTest, KillFollowsTheGrace) {
  start();
  LaunchSpec spec = shell(kIgnoreTerm);
  spec.grace = std::chrono::milliseconds(50);
  executor_->launch(spec);
  pid_in("pid");
  executor_->stop(id(), false);
  const auto exited = sink_.wait<Exited>(id());
  ASSERT_TRUE(exited);
  EXPECT_EQ(exited->exit_code, 137);
  EXPECT_FALSE(exited->oom);
}

TEST_F(StopTest, NowSkipsTheGrace) {
  start();
  LaunchSpec spec = shell(kIgnoreTerm);
  spec.grace = std::chrono::hours(1);
  executor_->launch(spec);
  pid_in("pid");
  executor_->stop(id(), false);
  executor_->stop(id(), true);
  const auto exited = sink_.wait<Exited>(id());
  ASSERT_TRUE(exited);
  EXPECT_EQ(exited->exit_code, 137);
}

TEST_F(StopTest, ReachesProcessesThatForkedAway) {
  start();
  LaunchSpec spec = shell(
      "sh -c 'setsid sh -c \"trap : TERM; echo \\$\\$ >deep; while :; do sleep 0.05; done\" &'; "
      "echo $$ >pid; while :; do sleep 0.05; done");
  spec.grace = std::chrono::milliseconds(50);
  executor_->launch(spec);
  const pid_t deep = pid_in("deep");
  pid_in("pid");
  executor_->stop(id(), false);
  ASSERT_TRUE(sink_.wait<Exited>(id()));
  EXPECT_FALSE(is_alive(deep));
}

TEST_F(StopTest, ChildrenHaveTheGraceToo) {
  start();
  executor_->launch(shell(
      "sh -c 'trap \"sleep 0.2; echo saved >saved; exit 0\" TERM; echo $$ >child; while :; do sleep 0.01; done' & "
      "while [ ! -s child ]; do sleep 0.01; done; echo $$ >pid; wait"));
  pid_in("pid");
  executor_->stop(id(), false);
  const auto exited = sink_.wait<Exited>(id());
  ASSERT_TRUE(exited);
  EXPECT_EQ(exited->exit_code, 143);
  EXPECT_EQ(read_text(workspace() / "saved"), "saved\n");
}

TEST_F(StopTest, ASuspendedTaskEnds) {
  start();
  LaunchSpec spec = shell("echo $$ >pid; kill -STOP $$; exit 0");
  spec.grace = std::chrono::milliseconds(50);
  executor_->launch(spec);
  pid_in("pid");
  executor_->stop(id(), false);
  const auto exited = sink_.wait<Exited>(id());
  ASSERT_TRUE(exited);
  EXPECT_EQ(exited->exit_code, 137);
}

TEST_F(StopTest, AStopRightAfterTheLaunchIsNotLost) {
  start();
  executor_->launch(shell("while :; do sleep 0.01; done"));
  executor_->stop(id(), false);
  const auto exited = sink_.wait<Exited>(id());
  ASSERT_TRUE(exited);
  EXPECT_EQ(exited->exit_code, 143);
}

TEST_F(StopTest, ACommittedStopIsRepeatedAtAdoption) {
  start();
  executor_->launch(shell("echo $$ >pid; while :; do sleep 0.01; done"));
  const auto launched = sink_.wait<Running>(id());
  ASSERT_TRUE(launched);
  pid_in("pid");
  restart();
  executor_->adopt({{id(), launched->identity, true, Duration(0), false}});
  const auto exited = sink_.wait<Exited>(id());
  ASSERT_TRUE(exited);
  EXPECT_EQ(exited->exit_code, 143);
}

TEST_F(StopTest, AnUnknownAttemptIsIgnored) {
  start();
  executor_->stop(id(9), false);
  executor_->forget(id(9));
  ASSERT_TRUE(run(shell("exit 0")));
  EXPECT_EQ(sink_.count<Exited>(id(9)), 0U);
}

TEST_F(StopTest, WhatATaskLeavesBehindIsEnded) {
  start();
  const auto exited = run(shell(
      "setsid sh -c 'trap : TERM HUP; echo $$ >left; while :; do sleep 0.05; done' & while [ ! -s left ]; do sleep "
      "0.01; done; echo done"));
  ASSERT_TRUE(exited);
  EXPECT_EQ(exited->exit_code, 0);
  EXPECT_FALSE(is_alive(pid_in("left")));
  EXPECT_EQ(output(), "done\n");
}

}  // namespace
}  // namespace slipway::exec
