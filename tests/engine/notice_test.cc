#include "support/engine_world.h"

namespace slipway::engine {
namespace {

using dag::NoticeKind;
using test::EngineWorld;
using test::Script;

class NoticeTest : public ::testing::Test, public EngineWorld {
 protected:
  void SetUp() override { boot(); }

  std::vector<std::string> delivered() const {
    std::vector<std::string> lines;
    for (const run::Notice& notice : carrier.delivered)
      lines.push_back(std::string(dag::kNoticeKinds.text(notice.kind)) + "@" + notice.target);
    return lines;
  }
  void fail(const std::string& task) {
    Script script;
    script.exit_code = 1;
    scripts[task] = script;
  }
};

TEST_F(NoticeTest, AFailedRunIsTold) {
  put("dag: d\nnotify: [{to: ops}, {to: ml, on: [failure, success]}, {to: boss, on: [success]}]\n"
      "tasks:\n  a: {run: 'false'}\n");
  fail("a");
  const RunId id = trigger();
  drive();
  ASSERT_EQ(delivered(), (std::vector<std::string>{"failure@ml", "failure@ops"}));
  const run::Notice& notice = carrier.delivered[0];
  EXPECT_EQ(notice.data.get_string("dag"), "d");
  EXPECT_EQ(notice.data.get_string("run"), id.str());
  EXPECT_EQ(notice.data.get_string("state"), "failed");
  EXPECT_EQ(notice.data.get_string("url"), "http://localhost:8080/api/v1/runs/" + id.str());
  EXPECT_EQ(notice.data.find("failures")->as_array().at(0), Value("a: exit code 1 (user)"));
}

TEST_F(NoticeTest, SuccessIsToldToThoseWhoAsked) {
  put("dag: d\nnotify: [{to: ops}, {to: ml, on: [success]}]\ntasks:\n  a: {run: 'true'}\n");
  trigger();
  drive();
  EXPECT_EQ(delivered(), std::vector<std::string>{"success@ml"});
}

TEST_F(NoticeTest, EveryRetryIsToldOnce) {
  put("dag: d\nnotify: [{to: ops, on: [retry, failure]}]\n"
      "tasks:\n  a: {run: 'false', retry: {limit: 2, delay: 10s}}\n");
  fail("a");
  trigger();
  drive();
  EXPECT_EQ(delivered(), (std::vector<std::string>{"retry@ops", "retry@ops", "failure@ops"}));
  EXPECT_NE(carrier.delivered[0].id, carrier.delivered[1].id);
  EXPECT_EQ(carrier.delivered[0].data.get_string("task"), "a");
}

TEST_F(NoticeTest, ACancelledRunIsNoFailure) {
  put("dag: d\nnotify: [{to: ops, on: [failure, success]}]\ntasks:\n  a: {run: 'true'}\n");
  const RunId id = trigger();
  ASSERT_TRUE(ask(CancelRun{id}));
  drive();
  EXPECT_EQ(run(id).state, run::RunState::Cancelled);
  EXPECT_TRUE(delivered().empty());
}

TEST_F(NoticeTest, ADeadlinePassesOnceAlsoAcrossARestart) {
  put("dag: d\ndeadline: {after: 1h, notify: boss}\nnotify: [{to: ops, on: [deadline]}]\n"
      "tasks:\n  a: {run: sleep}\n");
  Script slow;
  slow.run_time = std::chrono::hours(5);
  scripts["a"] = slow;
  const RunId id = trigger();
  drive(clock.now() + std::chrono::minutes(59));
  EXPECT_TRUE(delivered().empty());
  drive(clock.now() + std::chrono::minutes(2));
  EXPECT_EQ(delivered(), (std::vector<std::string>{"deadline@boss", "deadline@ops"}));
  EXPECT_TRUE(disk->runs.at(id).late);
  die();
  disk->notices.clear();
  boot();
  drive();
  EXPECT_EQ(delivered().size(), 2U);
  EXPECT_EQ(run(id).state, run::RunState::Success);
}

TEST_F(NoticeTest, WhatWasNotSentIsHandedOverAgain) {
  put("dag: d\nnotify: [{to: ops}]\ntasks:\n  a: {run: 'false'}\n");
  fail("a");
  trigger();
  drive();
  ASSERT_EQ(carrier.delivered.size(), 1U);
  EXPECT_EQ(disk->notices.size(), 1U);
  die();
  boot();
  ASSERT_EQ(carrier.delivered.size(), 2U);
  EXPECT_EQ(carrier.delivered[0], carrier.delivered[1]);
  ASSERT_TRUE(ask(NoticeDone{carrier.delivered[0].id}));
  EXPECT_TRUE(disk->notices.empty());
  die();
  boot();
  EXPECT_EQ(carrier.delivered.size(), 2U);
}

TEST_F(NoticeTest, ARunThatFailsAgainAfterARetryIsToldAgain) {
  put("dag: d\nnotify: [{to: ops}]\ntasks:\n  a: {run: 'false'}\n");
  fail("a");
  const RunId id = trigger();
  drive();
  ASSERT_TRUE(ask(RetryRun{id}));
  drive();
  ASSERT_EQ(carrier.delivered.size(), 2U);
  EXPECT_NE(carrier.delivered[0].id, carrier.delivered[1].id);
}

}  // namespace
}  // namespace slipway::engine
