#include "slipway/pods/pod_executor.h"

#include <atomic>

#include "pods/pod_fixture.h"
#include "slipway/base/file.h"

namespace slipway::pods {
namespace {

using http::Request;
using run::FailureClass;
using slipway::test::Peer;
using test::eventually;
using namespace std::chrono_literals;

const AttemptId kId{RunId("r1"), {TaskId("a"), TaskKey::kUnmapped}, 1};

bool is_create(const Request& request) { return request.method == "POST" && request.path.ends_with("/pods"); }

std::string refusal(int code, const std::string& reason, const std::string& message) {
  return R"({"kind":"Status","status":"Failure","code":)" + std::to_string(code) + R"(,"reason":")" + reason +
         R"(","message":")" + message + R"("})";
}

// A text from the server's threads, which may outlive the test's body.
class Kept {
 public:
  void put(std::string text) {
    const std::lock_guard lock(mutex_);
    text_ = std::move(text);
  }
  std::string get() {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  std::mutex mutex_;
  std::string text_;
};

class PodExecutorTest : public testing::Test, protected test::PodWorld {
 protected:
  // The first `count` creates are answered so.
  void refuse_creates(int count, int code, const std::string& body) {
    cluster.set_intercept(
        [left = std::make_shared<std::atomic<int>>(count), code, body](const Request& request, Peer& peer) {
          if (!is_create(request) || (*left)-- <= 0) return false;
          peer.reply(code, body);
          return true;
        });
  }
  // A pod that runs until the test says otherwise.
  void launch_running() {
    cluster.set_manual(true);
    executor->launch(spec(kId));
    ASSERT_TRUE(eventually([&] { return cluster.pod(pod_).has_value(); }));
    cluster.run(pod_);
    expect<exec::Running>(kId);
  }
  std::string log_text() {
    const auto text = read_whole_file(exec::log_file(home.path(), kId), 1U << 20U);
    return text ? *text : std::string();
  }
  bool log_is(const std::string& wanted) {
    return eventually([&] { return log_text() == wanted; });
  }
  bool has_pod() { return cluster.pod(pod_).has_value(); }

  const std::string pod_ = name(kId);
};

TEST_F(PodExecutorTest, ALostAnswerToACreateMakesNoSecondPod) {
  cluster.set_intercept([&, first = std::make_shared<std::atomic<bool>>(true)](const Request& request, Peer& peer) {
    if (!is_create(request) || !first->exchange(false)) return false;
    cluster.create(*parse_json(request.body));
    peer.reset();
    return true;
  });
  start();
  executor->launch(spec(kId));
  EXPECT_EQ(expect<exec::Exited>(kId).exit_code, 0);
  EXPECT_EQ(cluster.starts(pod_), 1);
  EXPECT_EQ(reported<exec::Launched>(kId).size(), 1U);
}

TEST_F(PodExecutorTest, AServerThatIsAwayIsWaitedFor) {
  refuse_creates(5, 503, refusal(503, "ServiceUnavailable", "etcd has no leader"));
  start();
  executor->launch(spec(kId));
  EXPECT_EQ(expect<exec::Exited>(kId).exit_code, 0);
  EXPECT_EQ(cluster.starts(pod_), 1);
}

TEST_F(PodExecutorTest, AFullQuotaIsWaitedForWithItsReason) {
  refuse_creates(1'000'000, 403, refusal(403, "Forbidden", "exceeded quota: team, requested: pods=1, used: pods=5"));
  start();
  executor->launch(spec(kId));
  EXPECT_TRUE(eventually([&] { return executor->note(kId).find("waits for quota: exceeded quota: team") == 0; }));
  cluster.set_intercept({});
  EXPECT_EQ(expect<exec::Exited>(kId).exit_code, 0);
  EXPECT_EQ(executor->note(kId), "");
}

TEST_F(PodExecutorTest, AStopEndsTheWaitForQuota) {
  refuse_creates(1'000'000, 403, refusal(403, "Forbidden", "exceeded quota: team"));
  start();
  executor->launch(spec(kId));
  EXPECT_TRUE(eventually([&] { return !executor->note(kId).empty(); }));
  executor->stop(kId, false);
  EXPECT_EQ(expect<exec::LaunchFailed>(kId).failure, FailureClass::External);
  cluster.set_intercept({});
  EXPECT_FALSE(has_pod());
}

TEST_F(PodExecutorTest, WhatTheServerRefusesForGoodIsTheTasksFault) {
  refuse_creates(1, 422, refusal(422, "Invalid", "spec.containers[0].image: Required value"));
  start();
  executor->launch(spec(kId));
  const auto failed = expect<exec::LaunchFailed>(kId);
  EXPECT_EQ(failed.failure, FailureClass::Config);
  EXPECT_NE(failed.message.find("spec.containers[0].image"), std::string::npos);
}

TEST_F(PodExecutorTest, AMissingRightMayComeAndAPolicyMayNot) {
  const AttemptId other{RunId("r1"), {TaskId("b"), TaskKey::kUnmapped}, 1};
  refuse_creates(1, 403, refusal(403, "Forbidden", "User x cannot create resource pods in API group"));
  start();
  executor->launch(spec(kId));
  EXPECT_EQ(expect<exec::LaunchFailed>(kId).failure, FailureClass::Launch);
  refuse_creates(1, 403, refusal(403, "Forbidden", "violates PodSecurity restricted"));
  executor->launch(spec(other));
  EXPECT_EQ(expect<exec::LaunchFailed>(other).failure, FailureClass::Config);
}

TEST_F(PodExecutorTest, APodOfSomebodyElseIsLeftAlone) {
  cluster.set_manual(true);
  cluster.create(Value(Value::Object{{"metadata", Value::Object{{"name", pod_}}}}));
  start();
  executor->launch(spec(kId));
  EXPECT_EQ(expect<exec::LaunchFailed>(kId).failure, FailureClass::Config);
  EXPECT_TRUE(has_pod());
}

TEST_F(PodExecutorTest, ACreateThatComesAfterTheStopIsUndone) {
  const auto late = std::make_shared<Kept>();
  cluster.set_intercept([late](const Request& request, Peer& peer) {
    if (!is_create(request)) return false;
    late->put(request.body);
    peer.reset();  // it may have been done
    return true;
  });
  options.retry_first = options.retry_longest = 1h;  // it stays undecided
  start();
  executor->launch(spec(kId));
  ASSERT_TRUE(eventually([&] { return !executor->note(kId).empty(); }));
  executor->stop(kId, false);
  EXPECT_EQ(expect<exec::LaunchFailed>(kId).failure, FailureClass::External);
  cluster.set_manual(true);
  cluster.create(*parse_json(late->get()));
  EXPECT_TRUE(eventually([&] {
    const auto pod = cluster.pod(pod_);
    return !pod || pod->find("metadata")->find("deletionTimestamp") != nullptr;
  }));
}

TEST_F(PodExecutorTest, TheClustersWarningsTellWhyAPodWaits) {
  cluster.set_manual(true);
  options.events_after = 5ms;
  const auto uid = std::make_shared<Kept>();
  cluster.set_intercept([uid](const Request& request, Peer& peer) {
    if (!request.path.ends_with("/events")) return false;
    const auto event = [&](const char* at, const char* message) {
      return R"({"involvedObject":{"uid":")" + uid->get() + R"("},"reason":"FailedMount","message":")" + message +
             R"(","lastTimestamp":")" + at + R"("})";
    };
    peer.reply(200, R"({"kind":"EventList","items":[)" + event("2024-11-01T06:30:02Z", "no such claim") + "," +
                        event("2024-11-01T06:30:01Z", "older") + "]}");
    return true;
  });
  start();
  executor->launch(spec(kId));
  ASSERT_TRUE(eventually([&] { return has_pod(); }));
  uid->put(cluster.pod(pod_)->find("metadata")->get_string("uid"));
  EXPECT_TRUE(eventually([&] { return executor->note(kId) == "FailedMount: no such claim"; })) << executor->note(kId);
  cluster.run(pod_);
  EXPECT_TRUE(eventually([&] { return executor->note(kId).empty(); }));
}

TEST_F(PodExecutorTest, APullMayFailForAWhile) {
  cluster.set_manual(true);
  options.image_grace = 1h;
  start();
  executor->launch(spec(kId));
  ASSERT_TRUE(eventually([&] { return has_pod(); }));
  cluster.set_waiting(pod_, "ImagePullBackOff", "no route to host");
  EXPECT_TRUE(eventually([&] { return executor->note(kId) == "ImagePullBackOff: no route to host"; }));
  cluster.run(pod_);
  cluster.finish(pod_, 0);
  EXPECT_EQ(expect<exec::Exited>(kId).exit_code, 0);
}

TEST_F(PodExecutorTest, APullThatGoesOnFailingIsALaunchThatFailed) {
  cluster.set_manual(true);
  options.image_grace = 20ms;
  start();
  executor->launch(spec(kId));
  ASSERT_TRUE(eventually([&] { return has_pod(); }));
  cluster.set_waiting(pod_, "ErrImagePull", "not found");
  ASSERT_TRUE(eventually([&] { return cluster.pod(pod_)->find("metadata")->find("deletionTimestamp") != nullptr; }));
  EXPECT_TRUE(reported<exec::LaunchFailed>(kId).empty());  // until it surely does not run
  cluster.remove(pod_);
  const auto failed = expect<exec::LaunchFailed>(kId);
  EXPECT_EQ(failed.failure, FailureClass::Launch);
  EXPECT_EQ(failed.message, "ErrImagePull: not found");
}

TEST_F(PodExecutorTest, AConfigErrorFailsAtOnce) {
  cluster.set_manual(true);
  start();
  executor->launch(spec(kId));
  ASSERT_TRUE(eventually([&] { return has_pod(); }));
  cluster.set_waiting(pod_, "CreateContainerConfigError", R"(secret "x" not found)");
  ASSERT_TRUE(eventually([&] { return cluster.pod(pod_)->find("metadata")->find("deletionTimestamp") != nullptr; }));
  cluster.remove(pod_);
  EXPECT_EQ(expect<exec::LaunchFailed>(kId).failure, FailureClass::Config);
}

TEST_F(PodExecutorTest, APodThatFindsNoNodeInTimeIsGivenUp) {
  cluster.set_manual(true);
  start();
  exec::LaunchSpec asked = spec(kId);
  asked.pod.emplace().start_timeout = 1s;
  executor->launch(asked);
  ASSERT_TRUE(eventually([&] {
    const auto pod = cluster.pod(pod_);
    return pod && pod->find("metadata")->find("deletionTimestamp") != nullptr;
  }));
  cluster.remove(pod_);
  const auto failed = expect<exec::LaunchFailed>(kId);
  EXPECT_EQ(failed.failure, FailureClass::InfraNotStarted);
  EXPECT_EQ(failed.message, "did not start within 1s: its pod has no node yet");
}

TEST_F(PodExecutorTest, ADeletionByHandIsSomebodyElsesDecision) {
  start();
  launch_running();
  cluster.remove(pod_);
  EXPECT_EQ(expect<exec::Exited>(kId).failure, FailureClass::External);
}

TEST_F(PodExecutorTest, MemoryThatRanOut) {
  start();
  launch_running();
  cluster.finish(pod_, 137, "", "OOMKilled");
  const auto exited = expect<exec::Exited>(kId);
  EXPECT_TRUE(exited.oom);
  EXPECT_EQ(exited.exit_code, 137);
}

TEST_F(PodExecutorTest, ANodeOutOfReachIsNoEndAndItsReturnIs) {
  options.lost_grace = 0ms;
  start();
  launch_running();
  cluster.edit(pod_, [](Value& pod) {
    pod["metadata"]["deletionTimestamp"] = "2024-11-01T06:30:00Z";
    pod["status"]["conditions"] = Value::Array{Value::Object{{"type", "DisruptionTarget"},
                                                             {"status", "True"},
                                                             {"reason", "DeletionByTaintManager"},
                                                             {"lastTransitionTime", "2024-11-01T06:30:00Z"}}};
  });
  EXPECT_FALSE(expect<exec::Lost>(kId).end_proved);
  EXPECT_TRUE(reported<exec::Exited>(kId).empty());
  cluster.finish(pod_, 137);
  EXPECT_EQ(expect<exec::Exited>(kId).failure, FailureClass::InfraLost);
  EXPECT_EQ(reported<exec::Lost>(kId).size(), 1U);
}

TEST_F(PodExecutorTest, AnEndDuringACutIsSeenAfterIt) {
  start();
  launch_running();
  cluster.cut_watches();
  cluster.finish(pod_, 7);
  EXPECT_EQ(expect<exec::Exited>(kId).exit_code, 7);
}

TEST_F(PodExecutorTest, APodThatCameAndWentWhileNothingWasWatchedIsNotAwaitedForEver) {
  const auto listing = std::make_shared<std::atomic<bool>>(false);
  cluster.set_intercept([listing](const Request& request, Peer& peer) {
    const bool list = request.method == "GET" && request.path.ends_with("/pods");
    if (!list || *listing) return false;
    peer.reply(500, refusal(500, "InternalError", "not now"));
    return true;
  });
  start();
  exec::LaunchSpec forever = spec(kId);
  forever.env["FAKE_FOREVER"] = "yes";
  executor->launch(forever);
  expect<exec::Running>(kId);
  executor->stop(kId, true);
  ASSERT_TRUE(eventually([&] { return !has_pod(); }));
  *listing = true;
  EXPECT_EQ(expect<exec::Exited>(kId).exit_code, 137);
}

TEST_F(PodExecutorTest, AStatusThatForgetsTheContainerTakesNothingBack) {
  start();
  launch_running();
  cluster.edit(pod_, [](Value& pod) {
    pod["status"] =
        Value::Object{{"phase", "Failed"}, {"reason", "Evicted"}, {"message", "The node was low on memory"}};
  });
  const auto exited = expect<exec::Exited>(kId);
  EXPECT_EQ(exited.failure, FailureClass::InfraLost);
  EXPECT_TRUE(reported<exec::LaunchFailed>(kId).empty());
}

TEST_F(PodExecutorTest, TheLogIsThereWholeAndThenThePodGoes) {
  start();
  launch_running();
  cluster.say(pod_, "2024-11-01T06:30:01.000000001Z one\n");
  EXPECT_TRUE(log_is("2024-11-01T06:30:01.000000001Z stdout F one\n"));
  cluster.say(pod_, "2024-11-01T06:30:01.000000002Z two\n2024-11-01T06:30:02Z three");
  cluster.finish(pod_, 0);
  expect<exec::Exited>(kId);
  EXPECT_TRUE(
      log_is("2024-11-01T06:30:01.000000001Z stdout F one\n2024-11-01T06:30:01.000000002Z stdout F two\n"
             "2024-11-01T06:30:02Z stdout P three\n"));
  EXPECT_TRUE(has_pod());  // the end is not committed yet
  executor->forget(kId);
  EXPECT_TRUE(eventually([&] { return !has_pod(); }));
  EXPECT_EQ(log_text().find("stderr"), std::string::npos);
}

TEST_F(PodExecutorTest, TheLogGoesOnAfterARestart) {
  start();
  launch_running();
  cluster.say(pod_, "2024-11-01T06:30:01Z one\n2024-11-01T06:30:01Z one\n");
  EXPECT_TRUE(log_is("2024-11-01T06:30:01Z stdout F one\n2024-11-01T06:30:01Z stdout F one\n"));
  const std::string identity = expect<exec::Running>(kId).identity;
  start();
  executor->adopt({{kId, identity, false, 1s, false, 0}});
  cluster.say(pod_, "2024-11-01T06:30:01Z one\n2024-11-01T06:30:02Z two\n");
  cluster.finish(pod_, 0);
  expect<exec::Exited>(kId);
  EXPECT_TRUE(
      log_is("2024-11-01T06:30:01Z stdout F one\n2024-11-01T06:30:01Z stdout F one\n"
             "2024-11-01T06:30:01Z stdout F one\n2024-11-01T06:30:02Z stdout F two\n"));
}

TEST_F(PodExecutorTest, APodThatGoesBeforeItsLogIsReadLeavesAWord) {
  start();
  launch_running();
  cluster.say(pod_, "2024-11-01T06:30:01Z one\n");
  EXPECT_TRUE(log_is("2024-11-01T06:30:01Z stdout F one\n"));
  cluster.remove(pod_);
  expect<exec::Exited>(kId);
  EXPECT_TRUE(eventually(
      [&] { return log_text().find("stderr F slipway: the end of the log is missing") != std::string::npos; }));
}

TEST_F(PodExecutorTest, WhatAnEarlierDaemonHadNoTimeToClearAwayIsClearedAway) {
  start();
  launch_running();
  cluster.say(pod_, "2024-11-01T06:30:01Z one\n");
  cluster.finish(pod_, 0);
  expect<exec::Exited>(kId);
  start();  // nobody asks for it: its end was committed
  EXPECT_TRUE(eventually([&] { return !has_pod(); }));
  EXPECT_EQ(log_text(), "2024-11-01T06:30:01Z stdout F one\n");
  EXPECT_EQ(reported<exec::Exited>(kId).size(), 1U);
}

TEST_F(PodExecutorTest, APodThatRunsAndBelongsToNobodyIsNotTouched) {
  const AttemptId other{RunId("r2"), {TaskId("b"), TaskKey::kUnmapped}, 1};
  start();
  launch_running();
  cluster.set_manual(false);
  executor->launch(spec(other));
  expect<exec::Exited>(other);
  start();
  EXPECT_TRUE(eventually([&] { return !cluster.pod(name(other)).has_value(); }));  // both were looked at
  EXPECT_EQ(cluster.pod(pod_)->find("metadata")->find("deletionTimestamp"), nullptr);
}

TEST_F(PodExecutorTest, AnAdoptedPodThatIsGoneHasNoKnownEnd) {
  start();
  executor->adopt({{kId, "work/" + pod_ + "/uid-1", false, 1s, false, 0}});
  const auto failed = expect<exec::LaunchFailed>(kId);
  EXPECT_EQ(failed.failure, FailureClass::External);
  EXPECT_EQ(failed.message, "its pod is gone, and nobody saw how it ended");
}

TEST_F(PodExecutorTest, ADeleteNamesTheVeryPod) {
  start();
  launch_running();
  const auto body = std::make_shared<Kept>();
  cluster.set_intercept([body](const Request& request, Peer&) {
    if (request.method == "DELETE") body->put(request.body);
    return false;
  });
  executor->stop(kId, true);
  ASSERT_TRUE(eventually([&] { return !body->get().empty(); }));
  const auto asked = parse_json(body->get());
  EXPECT_EQ(asked->find("preconditions")->get_string("uid"), cluster.pod(pod_)->find("metadata")->get_string("uid"));
  EXPECT_EQ(asked->get_int("gracePeriodSeconds"), 1);  // never 0: that would prove nothing
}

TEST_F(PodExecutorTest, MoreLogsThanFollowersAreReadInTurn) {
  options.followers_max = 1;
  start();
  std::vector<AttemptId> ids;
  for (int i = 0; i < 5; ++i) ids.push_back({RunId("r1"), {TaskId("t"), i}, 1});
  for (const AttemptId& id : ids) {
    cluster.say(name(id), "2024-11-01T06:30:01Z " + id.str() + "\n");
    executor->launch(spec(id));
  }
  for (const AttemptId& id : ids) {
    expect<exec::Exited>(id);
    executor->forget(id);
    EXPECT_TRUE(eventually([&] { return !cluster.pod(name(id)).has_value(); }));
    EXPECT_EQ(*read_whole_file(exec::log_file(home.path(), id), 1U << 20U),
              "2024-11-01T06:30:01Z stdout F " + id.str() + "\n");
  }
}

TEST_F(PodExecutorTest, MissingRightsAreNamed) {
  cluster.set_intercept([](const Request& request, Peer& peer) {
    if (request.body.find(R"("subresource":"log")") == std::string::npos) return false;
    peer.reply(201, R"({"kind":"SelfSubjectAccessReview","status":{"allowed":false}})");
    return true;
  });
  kube::ClientConfig config;
  config.cluster.server = cluster.url();
  const auto client = kube::Client::create(config, {}, {.clock = clock}, Logger());
  const auto missing = missing_rights(**client, "work");
  ASSERT_TRUE(missing);
  EXPECT_EQ(*missing, std::vector<std::string>{"get pods/log"});
}

}  // namespace
}  // namespace slipway::pods
