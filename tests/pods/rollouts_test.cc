#include "slipway/pods/rollouts.h"

#include "pods/fake_objects.h"
#include "pods/pod_fixture.h"
#include "slipway/pods/service_objects.h"
#include "slipway/pods/services.h"

namespace slipway::pods {
namespace {

using namespace std::chrono_literals;
using test::eventually;
using test::FakeObjects;

const std::string kDeployment = "/apis/apps/v1/namespaces/work/deployments/web";
const std::string kService = "/api/v1/namespaces/work/services/web";
const std::string kSettings = "/api/v1/namespaces/work/configmaps/settings";

AttemptId attempt(int number) { return {RunId("r1"), {TaskId("serve"), TaskKey::kUnmapped}, number}; }

class RolloutTest : public ::testing::Test {
 protected:
  RolloutTest() {
    options.home = home.path();
    options.defaults.instance = "test";
    options.defaults.namespace_name = "work";
    options.defaults.image = "localhost/tools:1";
    options.poll = 2ms;
    options.image_grace = 20ms;
    options.smoke_patience = 50ms;
    options.restore_longest = 10s;
    start();
  }

  std::unique_ptr<kube::Client> connect() {
    kube::ClientConfig config;
    config.cluster.server = server.url();
    auto client = kube::Client::create(
        config, {.retry = {.transient_max = 0, .throttled_max = 0, .conflict_max = 0, .first = 1ms, .longest = 2ms}},
        {.clock = clock}, Logger());
    SLIPWAY_ASSERT(client.has_value());
    return *std::move(client);
  }
  void start() {
    executor.reset();
    executor = make_rollout_executor(connect(), options, reports, clock, Logger());
  }

  static exec::LaunchSpec service(int number) {
    exec::LaunchSpec spec;
    spec.id = attempt(number);
    spec.dag = DagId("site");
    spec.executor = exec::kRollouts;
    spec.argv = {"server", "--model", "/m"};
    spec.env = {{"MODEL", "m" + std::to_string(number)}};
    spec.grace = 1s;
    spec.rollout.emplace();
    spec.pod.emplace();
    spec.service = exec::ServiceSpec{.name = ServiceId("web"), .dag = DagId("site"), .port = 8000, .health = "/health"};
    spec.service->rollout_timeout = 20s;
    return spec;
  }
  static exec::LaunchSpec apply(int number, std::vector<Value> objects) {
    exec::LaunchSpec spec = service(number);
    spec.service.reset();
    spec.rollout->objects = std::move(objects);
    return spec;
  }
  static Value settings() {
    return Value::Object{{"apiVersion", "v1"},
                         {"kind", "ConfigMap"},
                         {"metadata", Value::Object{{"name", "settings"}}},
                         {"data", Value::Object{{"a", "b"}}}};
  }

  exec::Exited expect_end(int number) {
    const AttemptId id = attempt(number);
    std::optional<exec::Exited> found;
    EXPECT_TRUE(eventually([&] {
      for (const exec::Report& report : reports.all())
        if (const auto* exited = std::get_if<exec::Exited>(&report); exited != nullptr && exited->id == id)
          found = *exited;
      return found.has_value();
    })) << "no end of "
        << id.str();
    return found.value_or(exec::Exited{});
  }
  template <class Kind>
  std::optional<Kind> reported(int number) const {
    for (const exec::Report& report : reports.all())
      if (const auto* kind = std::get_if<Kind>(&report); kind != nullptr && kind->id == attempt(number)) return *kind;
    return std::nullopt;
  }
  [[nodiscard]] std::string revision() const {
    const auto deployment = server.object(kDeployment);
    if (!deployment) return "";
    const Value* metadata = deployment->find("spec")->find("template")->find("metadata");
    return metadata->find("annotations")->get_string(kRevisionAnnotation);
  }
  [[nodiscard]] std::string log(int number) const {
    std::string text;
    for (const auto& line : exec::read_log(exec::log_file(options.home, attempt(number)), 0, 1U << 20U).lines)
      text += line.text + "\n";
    return text;
  }

  slipway::test::TempFolder home;
  FakeObjects server;
  SystemClock clock;
  slipway::test::ReportLog reports;
  RolloutOptions options;
  std::unique_ptr<exec::Executor> executor;
};

TEST_F(RolloutTest, AServiceIsADeploymentAndAServiceAndSaysWhereItIs) {
  executor->launch(service(1));
  const exec::Exited end = expect_end(1);
  EXPECT_EQ(end.exit_code, 0) << end.message;
  const auto output = parse_json(end.output);
  ASSERT_TRUE(output);
  EXPECT_EQ(output->get_string("url"), "http://web.work.svc:8000");
  EXPECT_EQ(output->get_string("revision"), attempt(1).str());
  EXPECT_EQ(revision(), attempt(1).str());
  ASSERT_TRUE(server.object(kService));
  EXPECT_NE(server.last_query().find("fieldManager=slipway"), std::string::npos);
  EXPECT_EQ(server.last_query().find("force"), std::string::npos);
  EXPECT_NE(log(1).find("Deployment web: 1 of 1 new pods, 1 of 1 ready"), std::string::npos) << log(1);
  EXPECT_TRUE(reported<exec::Running>(1));
}

TEST_F(RolloutTest, TheSmokeRequestGoesThroughTheApiServer) {
  exec::LaunchSpec spec = service(1);
  spec.service->smoke = exec::ServiceSpec::Smoke{true, "/generate", R"({"prompt":"x"})", "POSITIVE"};
  server.set_reply(R"({"text":"Answer: POSITIVE"})");
  executor->launch(spec);
  EXPECT_EQ(expect_end(1).exit_code, 0);
  EXPECT_EQ(server.asked(), "POST /api/v1/namespaces/work/services/http:web:8000/proxy/generate {\"prompt\":\"x\"}");
}

TEST_F(RolloutTest, AWrongAnswerPutsTheRevisionBeforeBack) {
  executor->launch(service(1));
  expect_end(1);
  exec::LaunchSpec spec = service(2);
  spec.service->smoke = exec::ServiceSpec::Smoke{false, "/ask", "", "POSITIVE"};
  server.set_reply("NEGATIVE");
  executor->launch(spec);
  const exec::Exited end = expect_end(2);
  EXPECT_EQ(end.failure, run::FailureClass::User);
  EXPECT_EQ(end.message, "smoke request GET /ask answered `NEGATIVE`, which does not hold `POSITIVE`; revision " +
                             attempt(1).str() + " is live again");
  EXPECT_EQ(revision(), attempt(1).str());
}

TEST_F(RolloutTest, AFirstRevisionThatFailsLeavesNothing) {
  exec::LaunchSpec spec = service(1);
  spec.service->rollout_timeout = 30ms;
  server.break_revision(attempt(1).str());
  executor->launch(spec);
  const exec::Exited end = expect_end(1);
  EXPECT_EQ(end.failure, run::FailureClass::User);
  EXPECT_NE(end.message.find("1 of 1 new pods, 0 of 1 ready, not rolled out within 30ms"), std::string::npos)
      << end.message;
  EXPECT_NE(end.message.find("no revision was live before"), std::string::npos) << end.message;
  EXPECT_FALSE(server.object(kDeployment));
  EXPECT_FALSE(server.object(kService));
}

Value waiting_pod(const std::string& revision, const std::string& reason, const std::string& message) {
  return Value::Object{
      {"metadata",
       Value::Object{{"name", "web-1"}, {"annotations", Value::Object{{std::string(kRevisionAnnotation), revision}}}}},
      {"status",
       Value::Object{
           {"containerStatuses",
            Value::Array{Value::Object{
                {"name", "main"},
                {"restartCount", 4},
                {"ready", false},
                {"lastState", Value::Object{{"terminated", Value::Object{{"exitCode", 3}, {"message", "no model"}}}}},
                {"state", Value::Object{{"waiting", Value::Object{{"reason", reason}, {"message", message}}}}}}}}}}};
}

TEST_F(RolloutTest, ACrashLoopIsToldWithItsLastWordsAndRolledBack) {
  executor->launch(service(1));
  expect_end(1);
  server.break_revision(attempt(2).str());
  server.set_pods({waiting_pod(attempt(2).str(), "CrashLoopBackOff", "back-off")});
  executor->launch(service(2));
  const exec::Exited end = expect_end(2);
  EXPECT_EQ(end.message, "container main of pod web-1 ended with exit code 3: no model (4 restarts); revision " +
                             attempt(1).str() + " is live again");
  EXPECT_NE(log(2).find("cannot load the model"), std::string::npos) << log(2);
}

TEST_F(RolloutTest, AnImageThatCannotBePulledIsToldWhileItWaitsAndThenGivenUp) {
  server.break_revision(attempt(1).str());
  server.set_pods({waiting_pod(attempt(1).str(), "ImagePullBackOff", "no such image")});
  options.image_grace = 10s;
  start();
  executor->launch(service(1));
  EXPECT_TRUE(eventually([&] { return executor->note(attempt(1)).find("no such image") != std::string::npos; }));
  executor->stop(attempt(1), false);
  EXPECT_EQ(expect_end(1).exit_code, 143);
  options.image_grace = 5ms;
  start();
  server.break_revision(attempt(2).str());
  server.set_pods({waiting_pod(attempt(2).str(), "ImagePullBackOff", "no such image")});
  executor->launch(service(2));
  EXPECT_NE(expect_end(2).message.find("ImagePullBackOff: no such image"), std::string::npos);
}

TEST_F(RolloutTest, ARefusalIsTheManifestsFaultAndInTheServersWords) {
  for (const auto& [status, reason, message] :
       {std::tuple(409, "Conflict", "Apply failed with 1 conflict: conflict with \"kubectl\": .data.a"),
        std::tuple(422, "Invalid", "data: Invalid value"), std::tuple(403, "Forbidden", "configmaps is forbidden")}) {
    server.refuse({"PATCH", "configmaps", status, reason, message});
    executor->launch(apply(status, {settings()}));
    const exec::Exited end = expect_end(status);
    EXPECT_EQ(end.failure, run::FailureClass::Config) << reason;
    EXPECT_NE(end.message.find(message), std::string::npos) << end.message;
    EXPECT_EQ(end.message.find("ConfigMap settings was refused: "), 0U) << end.message;
  }
  EXPECT_FALSE(server.object(kSettings));
}

TEST_F(RolloutTest, AnOutageIsWaitedOut) {
  for (int i = 0; i < 5; ++i) server.refuse({"PATCH", "configmaps", 503, "ServiceUnavailable", "starting"});
  executor->launch(apply(1, {settings()}));
  EXPECT_EQ(expect_end(1).exit_code, 0);
  EXPECT_TRUE(server.object(kSettings));
}

TEST_F(RolloutTest, RecreateDeletesTheOldOneFirst) {
  executor->launch(service(1));
  expect_end(1);
  exec::LaunchSpec spec = service(2);
  spec.rollout->recreate = true;
  const std::size_t before = server.writes().size();
  executor->launch(spec);
  EXPECT_EQ(expect_end(2).exit_code, 0);
  const auto writes = server.writes();
  EXPECT_EQ(std::vector(writes.begin() + static_cast<std::ptrdiff_t>(before), writes.end()),
            (std::vector<std::string>{"DELETE " + kDeployment, "PATCH " + kDeployment, "DELETE " + kService,
                                      "PATCH " + kService}));
}

TEST_F(RolloutTest, ALaterDaemonGoesOn) {
  server.break_revision(attempt(1).str());
  executor->launch(service(1));
  ASSERT_TRUE(eventually([&] { return !executor->note(attempt(1)).empty(); }));
  start();
  exec::OpenAttempt open{.id = attempt(1)};
  executor->adopt({open});
  Value ready = *server.object(kDeployment);
  ready["status"]["availableReplicas"] = 1;
  server.put(kDeployment, ready);
  EXPECT_EQ(expect_end(1).exit_code, 0);
  const auto writes = server.writes();
  EXPECT_EQ(std::count(writes.begin(), writes.end(), "PATCH " + kDeployment), 1);
}

TEST_F(RolloutTest, AStopDuringTheDeployPutsBackWhatWasLiveAlsoAfterARestart) {
  executor->launch(service(1));
  expect_end(1);
  server.break_revision(attempt(2).str());
  executor->launch(service(2));
  ASSERT_TRUE(eventually([&] { return revision() == attempt(2).str() && !executor->note(attempt(2)).empty(); }));
  start();
  exec::OpenAttempt open{.id = attempt(2)};
  open.stop_requested = true;
  executor->adopt({open});
  const exec::Exited end = expect_end(2);
  EXPECT_EQ(end.exit_code, 143);
  EXPECT_EQ(revision(), attempt(1).str());
}

TEST_F(RolloutTest, WhatNobodyBeganIsLostWithProofAndWhatWasStoppedFirstNeverRuns) {
  exec::OpenAttempt open{.id = attempt(7)};
  executor->adopt({open});
  EXPECT_TRUE(eventually([&] { return reported<exec::Lost>(7).has_value(); }));
  EXPECT_TRUE(reported<exec::Lost>(7)->end_proved);
}

TEST_F(RolloutTest, ARevisionThatSomebodyElseHasReplacedIsLeftAlone) {
  server.break_revision(attempt(1).str());
  executor->launch(service(1));
  ASSERT_TRUE(eventually([&] { return !executor->note(attempt(1)).empty(); }));
  Value other = *server.object(kDeployment);
  other["metadata"]["annotations"][std::string(kRevisionAnnotation)] = "r9/serve/1";
  server.put(kDeployment, other);
  const exec::Exited end = expect_end(1);
  EXPECT_EQ(end.message, "Deployment web is by now what r9/serve/1 has applied");
  EXPECT_TRUE(server.object(kDeployment));
}

TEST_F(RolloutTest, RolloutsGoOnSideBySideUpToTheLimit) {
  options.at_once_max = 2;
  start();
  server.break_revision("never");  // the pod's command says so: all of them wait
  for (int number = 1; number <= 3; ++number) {
    exec::LaunchSpec spec = service(number);
    spec.argv = {"never"};
    spec.service->name = ServiceId("web" + std::to_string(number));
    executor->launch(spec);
  }
  const auto waits = [&](int number) { return executor->note(attempt(number)); };
  EXPECT_TRUE(eventually([&] {
    return waits(1).find("0 of 1 ready") != std::string::npos && waits(2).find("0 of 1 ready") != std::string::npos;
  }));
  EXPECT_EQ(waits(3), "waits until one of the rollouts before it is over");
  executor->stop(attempt(1), false);
  EXPECT_EQ(expect_end(1).exit_code, 143);
  EXPECT_TRUE(eventually([&] { return waits(3).find("0 of 1 ready") != std::string::npos; }));
}

TEST_F(RolloutTest, AServiceThatWasStoppedIsGone) {
  executor->launch(service(1));
  expect_end(1);
  const auto client = connect();
  const auto status = cluster_service(*client, options.home, ServiceId("web"));
  ASSERT_TRUE(status);
  EXPECT_TRUE(status->up) << status->words;
  EXPECT_EQ(status->revision, attempt(1).str());
  EXPECT_EQ(status->logs, "kubectl logs -n work deployment/web");
  EXPECT_EQ(stop_cluster_service(*client, options.home, ServiceId("web")).value(), true);
  EXPECT_FALSE(server.object(kDeployment));
  EXPECT_FALSE(server.object(kService));
  EXPECT_EQ(stop_cluster_service(*client, options.home, ServiceId("web")).value(), false);
}

}  // namespace
}  // namespace slipway::pods
