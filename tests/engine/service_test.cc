// What is live of a service, and what may take its place.
#include "support/engine_world.h"

namespace slipway::engine {
namespace {

using run::RunState;
using run::TaskState;
using test::at_second;
using test::EngineWorld;
using test::key_of;

class ServiceTest : public ::testing::Test, public EngineWorld {
 protected:
  void SetUp() override { boot(); }
  ErrorCode refusal(Command command) {
    const auto reply = ask(std::move(command));
    return reply ? ErrorCode::Internal : reply.error().code;
  }
};

TEST_F(ServiceTest, ServicesAreRecordedAndOlderRevisionsSuperseded) {
  put("dag: d\ntasks:\n  web:\n    service: {name: web, run: ['serve'], port: 8000}\n");
  scripts["web"].output = R"({"url": "http://127.0.0.1:8000"})";
  const RunId id = trigger();
  drive();
  ASSERT_EQ(disk->services.size(), 1U);
  EXPECT_EQ(disk->services.begin()->second.url, "http://127.0.0.1:8000");
  EXPECT_EQ(launched.begin()->second.service->port, 8000);
  const auto older = ask(TriggerRun{DagId("d"), {}, "", at_second(-1000)});
  drive();
  EXPECT_EQ(task(older->run, "web").state, TaskState::Skipped);
  EXPECT_EQ(task(older->run, "web").reason, "superseded: " + id.str() + "/web/1 is live");
  EXPECT_TRUE(ask(StopService{ServiceId("web")}));
  EXPECT_TRUE(disk->services.empty());
  EXPECT_FALSE(ask(StopService{ServiceId("web")}));
}

TEST_F(ServiceTest, ARollbackDeploysWhatWasLiveBefore) {
  put("dag: d\ntasks:\n  web:\n    service: {name: web, run: ['serve'], port: 8000}\n  after: {needs: web, run: "
      "'true'}\n");
  scripts["web"].output = R"({"url": "http://127.0.0.1:8000"})";
  const RunId first = trigger();
  drive();
  const RunId second = ask(TriggerRun{DagId("d"), {}, "", at_second(1000)})->run;
  drive();
  const auto& live = disk->services.begin()->second;
  ASSERT_EQ(live.revision.run, second);
  const auto back = ask(RollbackService{ServiceId("web"), first});
  ASSERT_TRUE(back);
  EXPECT_EQ(back->changes, (std::vector<Change>{{first, key_of("web"), TaskState::Success, Action::Reset}}));
  EXPECT_EQ(live.revision.run, second) << "until the other has come up";
  EXPECT_EQ(live.rollback_to, first);
  die();
  boot();
  drive();
  EXPECT_EQ(live.revision.str(), first.str() + "/web/2");
  EXPECT_EQ(live.rollback_to, RunId());
  EXPECT_EQ(task(first, "after").attempts, 1) << "nothing else is done again";
  EXPECT_EQ(run(first).state, RunState::Success);
}

TEST_F(ServiceTest, ARollbackNeedsAGoodDeploy) {
  put("dag: d\ntasks:\n  web:\n    service: {name: web, run: ['serve'], port: 8000}\n");
  scripts["web"].output = R"({"url": "http://127.0.0.1:8000"})";
  const RunId good = trigger();
  drive();
  scripts["web"].exit_code = 1;
  const RunId bad = ask(TriggerRun{DagId("d"), {}, "", at_second(1000)})->run;
  drive();
  EXPECT_EQ(refusal(RollbackService{ServiceId("none"), good}), ErrorCode::NotFound);
  EXPECT_EQ(refusal(RollbackService{ServiceId("web"), good}), ErrorCode::Conflict) << "it is live";
  EXPECT_EQ(refusal(RollbackService{ServiceId("web"), bad}), ErrorCode::Conflict);
  EXPECT_TRUE(disk->services.begin()->second.rollback_to.empty());
}

}  // namespace
}  // namespace slipway::engine
