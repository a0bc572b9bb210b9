// What is launched beyond the slots waits in the executor, also across daemons.
#include "exec/local_fixture.h"

namespace slipway::exec {
namespace {

class SlotsTest : public test::LocalFixture {
 protected:
  // Counts itself among those that run, into the file `counts`, and goes on when `go` or `go.<number>` is there.
  static LaunchSpec counted(int number) {
    const std::string n = std::to_string(number);
    return shell("mkdir running." + n + "; ls -d running.* | wc -l >>counts; while [ ! -e go." + n +
                     " ] && [ ! -e go ]; do sleep 0.005; done; rmdir running." + n,
                 number);
  }
  void release(const std::string& which = "go") const { std::ofstream(workspace() / which) << "1"; }
  void expect_never_more_than(int most) const {
    std::ifstream counts(workspace() / "counts");
    int lines = 0;
    for (int count = 0; counts >> count; ++lines) EXPECT_LE(count, most);
    EXPECT_GT(lines, 0);
  }
  [[nodiscard]] bool was_started(int number) const { return std::filesystem::exists(folder(number)); }
};

TEST_F(SlotsTest, NoMoreRunAtATimeThanThereAreSlots) {
  constexpr int kAttempts = 40;
  options_.slots = 3;
  std::filesystem::create_directories(workspace());
  release();
  start();
  for (int n = 1; n <= kAttempts; ++n) executor_->launch(counted(n));
  for (int n = 1; n <= kAttempts; ++n) {
    const auto exited = sink_.wait<Exited>(id(n));
    ASSERT_TRUE(exited);
    EXPECT_EQ(exited->exit_code, 0);
    EXPECT_EQ(sink_.count<Running>(id(n)), 1U);
  }
  expect_never_more_than(3);
}

TEST_F(SlotsTest, AnEndStartsTheNextInOrder) {
  options_.slots = 1;
  start();
  for (int n = 1; n <= 3; ++n) executor_->launch(counted(n));
  ASSERT_TRUE(sink_.wait<Running>(id(1)));
  EXPECT_FALSE(was_started(2));
  release("go.1");
  ASSERT_TRUE(sink_.wait<Running>(id(2)));
  EXPECT_EQ(sink_.count<Exited>(id(1)), 1U);
  EXPECT_FALSE(was_started(3));
  release();
  ASSERT_TRUE(sink_.wait<Exited>(id(3)));
  expect_never_more_than(1);
}

TEST_F(SlotsTest, WhatIsStoppedWhileItWaitsNeverStarts) {
  options_.slots = 1;
  start();
  for (int n = 1; n <= 3; ++n) executor_->launch(counted(n));
  executor_->stop(id(2), false);
  const auto refused = sink_.wait<LaunchFailed>(id(2));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->failure, run::FailureClass::External);
  release();
  ASSERT_TRUE(sink_.wait<Exited>(id(3)));
  EXPECT_FALSE(was_started(2));
  EXPECT_EQ(sink_.count<Running>(id(2)), 0U);
}

TEST_F(SlotsTest, AdoptedAttemptsKeepTheirSlots) {
  options_.slots = 2;
  start();
  for (int n = 1; n <= 4; ++n) executor_->launch(counted(n));
  const auto first = sink_.wait<Running>(id(1));
  const auto second = sink_.wait<Running>(id(2));
  ASSERT_TRUE(first && second);
  restart();
  // One of them had been committed as running; of the others only the intent is known.
  executor_->adopt({{id(1), first->identity, false, Duration(0), false}});
  for (int n = 2; n <= 4; ++n) executor_->launch(counted(n));
  ASSERT_TRUE(sink_.wait<Running>(id(2), 1));
  EXPECT_FALSE(was_started(3));
  release("go.2");
  ASSERT_TRUE(sink_.wait<Running>(id(3)));
  EXPECT_FALSE(was_started(4));
  release();
  for (int n = 1; n <= 4; ++n) ASSERT_TRUE(sink_.wait<Exited>(id(n)));
  expect_never_more_than(2);
}

TEST_F(SlotsTest, ADaemonLooksBeforeItStarts) {
  options_.slots = 1;
  start();
  executor_->launch(counted(1));
  executor_->launch(counted(2));
  ASSERT_TRUE(sink_.wait<Running>(id(1)));
  restart();
  // Only the intents were committed, and the one that runs is not named first.
  executor_->launch_all({counted(2), counted(1)});
  ASSERT_TRUE(sink_.wait<Running>(id(1), 1));
  EXPECT_FALSE(was_started(2));
  executor_->stop(id(1), true);
  EXPECT_NE(sink_.wait<Exited>(id(1))->exit_code, 0);
  release();
  ASSERT_TRUE(sink_.wait<Exited>(id(2)));
}

TEST_F(SlotsTest, ForgettingMakesRoom) {
  options_.slots = 1;
  start();
  for (int n = 1; n <= 3; ++n) executor_->launch(counted(n));
  ASSERT_TRUE(sink_.wait<Running>(id(1)));
  executor_->forget(id(2));
  release();
  ASSERT_TRUE(sink_.wait<Exited>(id(3)));
  EXPECT_FALSE(was_started(2));
}

}  // namespace
}  // namespace slipway::exec
