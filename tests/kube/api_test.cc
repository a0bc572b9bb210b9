#include "slipway/kube/api.h"

#include <gtest/gtest.h>

namespace slipway::kube {
namespace {

const ObjectPath kPodsOfA{kPods, "a", ""};
const ObjectPath kPod{kPods, "a", "p"};

TEST(ApiCalls, PathsByGroupAndNamespace) {
  EXPECT_EQ(kPod.str(), "/api/v1/namespaces/a/pods/p");
  EXPECT_EQ((ObjectPath{kDeployments, "a", "d"}.str()), "/apis/apps/v1/namespaces/a/deployments/d");
  EXPECT_EQ((ObjectPath{kPods, "", ""}.str()), "/api/v1/pods");
  EXPECT_EQ((ObjectPath{kPods, "a", "../x"}.str()), "/api/v1/namespaces/a/pods/..%2Fx");
}

struct CallCase {
  const char* name;
  ApiCall call;
  const char* text;  // method, target, content type, body
  bool repeatable;
};

TEST(ApiCalls, Table) {
  const Value pod(Value::Object{{"kind", "Pod"}, {"metadata", Value::Object{{"name", "p"}}}});
  const Value patch(Value::Object{{"x", 1}});
  const CallCase cases[] = {
      {"get", get_call(kPod), "GET /api/v1/namespaces/a/pods/p  ", true},
      {"list", list_call(kPodsOfA, {.label_selector = "a=b,c", .limit = 2}),
       "GET /api/v1/namespaces/a/pods?labelSelector=a%3Db%2Cc&limit=2  ", true},
      {"list from a cache",
       list_call(kPodsOfA, {.field_selector = "spec.nodeName=n", .limit = 0, .resource_version = "0"}),
       "GET /api/v1/namespaces/a/pods?fieldSelector=spec.nodeName%3Dn&resourceVersion=0  ", true},
      {"a further page has no version",
       list_call(kPodsOfA, {.limit = 2, .continue_token = "t/1", .resource_version = "7"}),
       "GET /api/v1/namespaces/a/pods?limit=2&continue=t%2F1  ", true},
      {"watch", watch_call(kPodsOfA, {.resource_version = "7", .limit = std::chrono::seconds(301)}),
       "GET /api/v1/namespaces/a/pods?watch=1&allowWatchBookmarks=true&timeoutSeconds=301&resourceVersion=7  ", true},
      {"create", create_call(kPodsOfA, pod),
       "POST /api/v1/namespaces/a/pods?fieldValidation=Strict application/json "
       R"({"kind":"Pod","metadata":{"name":"p"}})",
       true},
      {"create for show", create_call(kPodsOfA, pod, {.dry_run = true, .strict = false}),
       "POST /api/v1/namespaces/a/pods?dryRun=All&fieldValidation=Ignore application/json "
       R"({"kind":"Pod","metadata":{"name":"p"}})",
       true},
      {"merge patch", merge_patch_call(kPod, patch),
       "PATCH /api/v1/namespaces/a/pods/p?fieldValidation=Strict application/merge-patch+json {\"x\":1}", true},
      {"apply", apply_call(kPod, patch, {.field_manager = "slipway", .force = true}),
       "PATCH /api/v1/namespaces/a/pods/p?fieldManager=slipway&force=true&fieldValidation=Strict "
       "application/apply-patch+yaml {\"x\":1}",
       true},
      {"delete this very one", delete_call(kPod, {.uid = "u", .grace = std::chrono::seconds(5)}),
       "DELETE /api/v1/namespaces/a/pods/p application/json "
       R"({"apiVersion":"v1","gracePeriodSeconds":5,"kind":"DeleteOptions","preconditions":{"uid":"u"},"propagationPolicy":"Background"})",
       true},
      {"delete by name", delete_call(kPod, {.propagation = Propagation::Foreground}),
       "DELETE /api/v1/namespaces/a/pods/p application/json "
       R"({"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Foreground"})",
       false},
      {"log", log_call(kPod, {.container = "main", .follow = true, .since_time = "2024-11-01T00:00:00Z"}),
       "GET /api/v1/namespaces/a/pods/p/log?timestamps=true&container=main&follow=true"
       "&sinceTime=2024-11-01T00%3A00%3A00Z  ",
       true},
      {"log of before", log_call(kPod, {.container = "main", .previous = true, .tail_lines = 10}),
       "GET /api/v1/namespaces/a/pods/p/log?timestamps=true&container=main&previous=true&tailLines=10  ", true},
  };
  for (const CallCase& c : cases) {
    EXPECT_EQ(c.call.method + " " + c.call.target() + " " + c.call.content_type + " " + c.call.body, c.text) << c.name;
    EXPECT_EQ(c.call.repeatable, c.repeatable) << c.name;
  }
}

TEST(ApiCalls, AWatchMayOutliveItsLimitALittle) {
  EXPECT_EQ(watch_call(kPodsOfA, {.limit = std::chrono::seconds(300)}).timeout, std::chrono::seconds(330));
  EXPECT_EQ(log_call(kPod, {}).timeout, Duration(0));
}

TEST(ApiCallsDeathTest, ACreateNeedsAName) {
  const Value pod(Value::Object{{"metadata", Value::Object{{"generateName", "p-"}}}});
  EXPECT_DEATH((void)create_call(kPodsOfA, pod), "assertion failed");
  EXPECT_EQ(create_call({kAccessReviews, "", ""}, Value(Value::Object{})).path,
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews");
}

struct FailureCase {
  int status;
  std::string body;
  FailureKind kind;
};

std::string status_text(const char* reason, const char* message) {
  return Value(Value::Object{{"kind", "Status"}, {"reason", reason}, {"message", message}}).dump();
}

TEST(Failures, Table) {
  const std::string quota = status_text("Forbidden", "pods \"p\" is forbidden: exceeded quota: q, requested: pods=1");
  const std::string role = status_text("Forbidden", "pods is forbidden: User \"u\" cannot create");
  const std::string exists = status_text("AlreadyExists", "pods \"p\" already exists");
  const std::string race = status_text("Conflict", "Operation cannot be fulfilled on resourcequotas \"q\"");
  const std::string expired = status_text("Expired", "too old resource version");
  const std::string ahead =
      R"({"kind":"Status","reason":"Timeout","details":{"causes":[{"reason":"ResourceVersionTooLarge"}]}})";
  const FailureCase cases[] = {
      {400, "", FailureKind::Invalid},
      {401, status_text("Unauthorized", "Unauthorized"), FailureKind::Unauthorized},
      {403, quota, FailureKind::QuotaExceeded},
      {403, role, FailureKind::Forbidden},
      {404, "404 page not found", FailureKind::NotFound},
      {408, "", FailureKind::Overloaded},
      {409, exists, FailureKind::AlreadyExists},
      {409, race, FailureKind::Conflict},
      {410, "", FailureKind::Expired},
      {410, expired, FailureKind::Expired},
      {413, "", FailureKind::TooLarge},
      {415, "", FailureKind::Invalid},
      {422, "", FailureKind::Invalid},
      {429, "", FailureKind::TooManyRequests},
      {500, status_text("InternalError", "resource quota evaluation timed out"), FailureKind::Overloaded},
      {500, status_text("", "etcdserver: leader changed"), FailureKind::Overloaded},
      {501, "", FailureKind::Unexpected},
      {502, "<html>bad gateway</html>", FailureKind::Overloaded},
      {503, "", FailureKind::Overloaded},
      {504, ahead, FailureKind::Expired},
      {504, "", FailureKind::Overloaded},
      {302, "", FailureKind::Unexpected},
  };
  for (const FailureCase& c : cases) {
    const Failure failure = failure_of_reply(c.status, {}, c.body);
    EXPECT_EQ(kFailureKinds.text(failure.kind), kFailureKinds.text(c.kind)) << c.status << " " << c.body;
    EXPECT_EQ(failure.status, c.status);
  }
}

TEST(Failures, KeepCausesAndDelays) {
  const Failure failure = failure_of_reply(
      422, {{"retry-after", "7"}},
      R"({"kind":"Status","reason":"Invalid","message":"Pod \"p\" is invalid","details":{"retryAfterSeconds":3,"causes":[
        {"reason":"FieldValueRequired","message":"Required value","field":"spec.containers[0].image"}]}})");
  EXPECT_EQ(failure.reason, "Invalid");
  const FailureCause cause{"FieldValueRequired", "Required value", "spec.containers[0].image"};
  EXPECT_EQ(failure.causes, std::vector<FailureCause>{cause});
  EXPECT_EQ(failure.retry_after, std::chrono::seconds(7));  // the header is what proxies set, too
  EXPECT_EQ(failure_of_reply(429, {{"Retry-After", "soon"}}, "").retry_after, std::nullopt);
  EXPECT_EQ(failure_of_reply(429, {}, R"({"kind":"Status","details":{"retryAfterSeconds":3}})").retry_after,
            std::chrono::seconds(3));
}

TEST(Failures, OfAWatchAreStatusObjects) {
  const auto status = parse_json(R"({"kind":"Status","code":410,"reason":"Expired","message":"too old"})");
  const Failure failure = failure_of_status(*status);
  EXPECT_EQ(failure.kind, FailureKind::Expired);
  EXPECT_EQ(failure.status, 410);
  EXPECT_EQ(failure_of_status(*parse_json(R"({"code":500})")).kind, FailureKind::Overloaded);
}

TEST(Failures, SpeakAsErrors) {
  const Error foreign = failure_of_reply(404, {}, "no such\nroute").to_error(get_call(kPod).str());
  EXPECT_EQ(foreign.code, ErrorCode::NotFound);
  EXPECT_EQ(foreign.message, "get /api/v1/namespaces/a/pods/p: HTTP status 404: no such route");
  Failure down;
  down.kind = FailureKind::Unreachable;
  EXPECT_EQ(down.to_error("get /x").message, "get /x: no connection; the server has not seen the request");
  EXPECT_EQ(down.to_error("get /x").help, "is the server up, and its address right?");
}

}  // namespace
}  // namespace slipway::kube
