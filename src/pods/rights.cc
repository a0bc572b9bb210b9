#include <array>

#include "pods/executor.h"

namespace slipway::pods {
namespace {

struct Right {
  std::string_view verb, group, resource, subresource;
};
// What we do, each of them; docs/operations and the Role of the manifests say the same.
constexpr std::array<Right, 23> kRights{{
    {"create", "", "pods", ""},
    {"get", "", "pods", ""},
    {"list", "", "pods", ""},
    {"watch", "", "pods", ""},
    {"delete", "", "pods", ""},
    {"get", "", "pods", "log"},
    {"create", "apps", "deployments", ""},
    {"get", "apps", "deployments", ""},
    {"patch", "apps", "deployments", ""},
    {"delete", "apps", "deployments", ""},
    {"create", "", "services", ""},
    {"get", "", "services", ""},
    {"patch", "", "services", ""},
    {"delete", "", "services", ""},
    {"create", "", "services", "proxy"},
    {"get", "", "services", "proxy"},
    {"create", "", "configmaps", ""},
    {"patch", "", "configmaps", ""},
    {"create", "batch", "jobs", ""},
    {"get", "batch", "jobs", ""},
    {"patch", "batch", "jobs", ""},
    {"create", "autoscaling", "horizontalpodautoscalers", ""},
    {"patch", "autoscaling", "horizontalpodautoscalers", ""},
}};

std::string name_of(const Right& right) {
  return std::string(right.verb) + " " + std::string(right.resource) +
         (right.subresource.empty() ? "" : "/" + std::string(right.subresource));
}

kube::ApiCall review(const Right& right, const std::string& namespace_name) {
  Value attributes(Value::Object{
      {"namespace", namespace_name}, {"verb", right.verb}, {"group", right.group}, {"resource", right.resource}});
  if (!right.subresource.empty()) attributes["subresource"] = right.subresource;
  const Value body(Value::Object{{"apiVersion", "authorization.k8s.io/v1"},
                                 {"kind", "SelfSubjectAccessReview"},
                                 {"spec", Value::Object{{"resourceAttributes", std::move(attributes)}}}});
  return kube::create_call({kube::kAccessReviews, "", ""}, body);
}

bool is_allowed(const Value& review) {
  const Value* status = review.find("status");
  const Value* allowed = status == nullptr ? nullptr : status->find("allowed");
  return allowed != nullptr && *allowed == Value(true);
}

}  // namespace

Result<std::vector<std::string>> missing_rights(kube::Client& client, const std::string& namespace_name) {
  std::vector<std::string> missing;
  for (const Right& right : kRights) {
    const kube::Answer answer = client.call_and_wait(review(right, namespace_name));
    if (!answer) return answer.failure->to_error("asking for rights in namespace " + namespace_name);
    if (!is_allowed(answer.object)) missing.push_back(name_of(right));
  }
  return missing;
}

// In the background: the daemon starts whether the API server answers or not.
void PodExecutor::check_rights(const std::string& namespace_name) {
  for (const Right& right : kRights)
    client_->call(review(right, namespace_name), [log = log_, &right, namespace_name](const kube::Answer& answer) {
      if (answer && !is_allowed(answer.object))
        log.error("the account of the cluster lacks a right",
                  {{"namespace", namespace_name}, {"right", name_of(right)}});
    });
}

}  // namespace slipway::pods
