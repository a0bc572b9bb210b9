#include "slipway/pods/service_objects.h"

#include <algorithm>

#include "slipway/kube/rollout.h"

namespace slipway::pods {
namespace {

constexpr std::size_t kNameMax = 63;
constexpr std::string_view kServiceLabel = "slipway/service";

std::string ours(std::string_view name) { return std::string(kube::kPodPrefix) + std::string(name); }

// A Service's name is a DNS label that begins with a letter.
bool is_service_name(const std::string& name) {
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !name.empty() && name.size() <= kNameMax && name.front() >= 'a' && name.front() <= 'z' && name.back() != '-' &&
         std::all_of(name.begin(), name.end(), fits);
}

Value& child(Value& object, std::string_view name) {
  if (object.find(name) == nullptr || !object[std::string(name)].is_object())
    object[std::string(name)] = Value::Object{};
  return object[std::string(name)];
}

// Who asked for it: on the object, where a change restarts nothing.
void mark(const exec::LaunchSpec& spec, Value& object) {
  Value& annotations = child(child(object, "metadata"), "annotations");
  annotations[ours("dag")] = spec.dag.str();
  annotations[std::string(kRevisionAnnotation)] = spec.id.str();
}

// On the pods, too: a deploy is a rollout even where only what a path leads to has changed.
void mark_pods(const exec::LaunchSpec& spec, Value& deployment) {
  Value& metadata = child(child(child(deployment, "spec"), "template"), "metadata");
  child(metadata, "annotations")[std::string(kRevisionAnnotation)] = spec.id.str();
}

Value* pod_spec_of(Value& object) {
  const Value* spec = object.find("spec");
  const Value* made = spec == nullptr ? nullptr : spec->find("template");
  if (made == nullptr || made->find("spec") == nullptr || !made->find("spec")->is_object()) return nullptr;
  return &object["spec"]["template"]["spec"];
}

// `main`, or the first.
Value* main_of(Value& pod_spec) {
  const Value* all = pod_spec.find("containers");
  if (all == nullptr || !all->is_array() || all->as_array().empty()) return nullptr;
  auto& list = pod_spec["containers"].as_array();
  const auto named = std::find_if(list.begin(), list.end(),
                                  [](const Value& one) { return one.get_string("name") == kube::kMainContainer; });
  return named == list.end() ? &list.front() : &*named;
}

void set_variable(Value& container, const std::string& name, Value entry) {
  if (container.find("env") == nullptr || !container["env"].is_array()) container["env"] = Value::Array{};
  auto& list = container["env"].as_array();
  const auto known =
      std::find_if(list.begin(), list.end(), [&](const Value& one) { return one.get_string("name") == name; });
  if (known == list.end())
    list.push_back(std::move(entry));
  else
    *known = std::move(entry);
}

// What the task says itself: what every task gets besides is for commands that end.
void put_in(const exec::LaunchSpec& spec, const PodDefaults& defaults, Value& container) {
  const exec::PodSpec pod = spec.pod.value_or(exec::PodSpec{});
  if (!pod.image.empty()) container["image"] = pod.image;
  if (!pod.image_pull_policy.empty()) container["imagePullPolicy"] = pod.image_pull_policy;
  for (const auto& [name, value] : spec.env)
    if (!name.starts_with("SLIPWAY_") && name != "TRACEPARENT")
      set_variable(container, name, Value::Object{{"name", name}, {"value", value}});
  for (const auto& [name, from] : pod.secret_env) {
    const std::string secret = from.secret.empty() ? defaults.secret : from.secret;
    set_variable(container, name,
                 Value::Object{{"name", name},
                               {"valueFrom",
                                Value::Object{{"secretKeyRef", Value::Object{{"name", secret}, {"key", from.key}}}}}});
  }
}

Result<std::string> namespace_for(const Value& object, const exec::LaunchSpec& spec, const PodDefaults& defaults) {
  std::string wanted = object.find("metadata")->get_string("namespace");
  if (wanted.empty() && spec.pod) wanted = spec.pod->namespace_name;
  if (wanted.empty()) wanted = defaults.namespace_name;
  if (defaults.all_namespaces().contains(wanted)) return wanted;
  return Error{ErrorCode::Forbidden,
               kube::object_name(object) + ": namespace `" + wanted + "` is not among those that tasks may use",
               "add it to the server's setting `kube_namespaces`, or leave it out of the manifest"};
}

Result<void> judge(Value& object, const PodDefaults& defaults) {
  const Value* const spec = pod_spec_of(object);
  if (spec == nullptr) return {};
  auto checked = kube::check_policy(Value(Value::Object{{"spec", *spec}}), defaults.policy);
  if (checked) return {};
  Error error = checked.error();
  error.message = kube::object_name(object) + ": " + error.message;
  return error;
}

Result<std::vector<Value>> given(const exec::LaunchSpec& spec, const PodDefaults& defaults) {
  std::vector<Value> objects = spec.rollout->objects;
  for (Value& object : objects) {
    SLIPWAY_TRY(kube::path_of(object));
    SLIPWAY_TRY_ASSIGN(object["metadata"]["namespace"], namespace_for(object, spec, defaults));
    mark(spec, object);
    if (spec.service && object.get_string("kind") == "Deployment") {
      mark_pods(spec, object);
      if (Value* pod = pod_spec_of(object); pod != nullptr && main_of(*pod) != nullptr)
        put_in(spec, defaults, *main_of(*pod));
    }
    SLIPWAY_TRY(judge(object, defaults));
  }
  return objects;
}

// The pod that a task of the same fields would be, but for what makes it end.
Result<Value> server_pod(const exec::LaunchSpec& spec, const PodDefaults& defaults) {
  const exec::ServiceSpec& service = *spec.service;
  exec::LaunchSpec server = spec;
  server.env["PORT"] = server.env["SLIPWAY_PORT"] = std::to_string(service.port);
  server.env["SLIPWAY_HOST"] = "0.0.0.0";  // where clients come from is the Service's matter
  SLIPWAY_TRY_ASSIGN(const kube::PodTask task, pod_task(server, defaults));
  SLIPWAY_TRY_ASSIGN(Value pod, kube::pod_manifest(task));
  Value made = *pod.find("spec");
  for (const char* field : {"restartPolicy", "activeDeadlineSeconds"}) made.as_object().erase(field);
  Value& main = *main_of(made);
  main["ports"] = Value::Array{Value::Object{{"containerPort", service.port}}};
  main["readinessProbe"] =
      Value::Object{{"httpGet", Value::Object{{"path", service.health}, {"port", service.port}}}, {"periodSeconds", 2}};
  return made;
}

Result<std::vector<Value>> made(const exec::LaunchSpec& spec, const PodDefaults& defaults) {
  const exec::ServiceSpec& service = *spec.service;
  const exec::PodSpec pod = spec.pod.value_or(exec::PodSpec{});
  const std::string& name = service.name.str();
  if (!is_service_name(name))
    return Error{ErrorCode::InvalidArgument, "`" + name + "` cannot be the name of a Service",
                 "at most 63 of a-z, 0-9 and -, beginning with a letter"};
  SLIPWAY_TRY_ASSIGN(Value server, server_pod(spec, defaults));
  Value labels(Value::Object{});
  for (const auto& [key, value] : pod.labels) labels[key] = value;
  labels["app.kubernetes.io/managed-by"] = "slipway";
  labels[std::string(kServiceLabel)] = name;
  Value annotations(Value::Object{});
  for (const auto& [key, value] : pod.annotations) annotations[key] = value;
  const Value selector(Value::Object{{std::string(kServiceLabel), name}});
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(service.rollout_timeout).count();
  Value metadata(Value::Object{{"name", name}, {"labels", labels}});
  // Without `replicas`: one, until a person or an autoscaler says otherwise.
  Value deployment(Value::Object{
      {"apiVersion", "apps/v1"},
      {"kind", "Deployment"},
      {"metadata", metadata},
      {"spec",
       Value::Object{{"selector", Value::Object{{"matchLabels", selector}}},
                     {"progressDeadlineSeconds", std::int64_t{std::max<std::int64_t>(seconds, 1)}},
                     {"template", Value::Object{{"metadata", Value::Object{{"labels", std::move(labels)},
                                                                           {"annotations", std::move(annotations)}}},
                                                {"spec", std::move(server)}}}}}});
  Value front(Value::Object{
      {"apiVersion", "v1"},
      {"kind", "Service"},
      {"metadata", std::move(metadata)},
      {"spec",
       Value::Object{{"selector", selector},
                     {"ports", Value::Array{Value::Object{{"port", service.port}, {"targetPort", service.port}}}}}}});
  std::vector<Value> objects{std::move(deployment), std::move(front)};
  for (Value& object : objects) {
    SLIPWAY_TRY_ASSIGN(object["metadata"]["namespace"], namespace_for(object, spec, defaults));
    mark(spec, object);
  }
  mark_pods(spec, objects.front());
  SLIPWAY_TRY(judge(objects.front(), defaults));
  return objects;
}

bool has_port(const Value& service, int port) {
  const Value* ports = service.find("spec") == nullptr ? nullptr : service.find("spec")->find("ports");
  if (ports == nullptr || !ports->is_array()) return false;
  return std::any_of(ports->as_array().begin(), ports->as_array().end(),
                     [&](const Value& one) { return one.get_int("port") == port; });
}

}  // namespace

Result<std::vector<Value>> prepare_objects(const exec::LaunchSpec& spec, const PodDefaults& defaults) {
  SLIPWAY_ASSERT(spec.rollout.has_value());
  if (!spec.rollout->objects.empty()) return given(spec, defaults);
  if (spec.service) return made(spec, defaults);
  return Error{ErrorCode::InvalidArgument, "the manifests hold no object", "write at least one"};
}

const Value* front_of(const std::vector<Value>& objects, int port) {
  const Value* first = nullptr;
  for (const Value& object : objects) {
    if (object.get_string("kind") != "Service") continue;
    if (has_port(object, port)) return &object;
    if (first == nullptr) first = &object;
  }
  return first;
}

int front_port(const Value& front, int port) {
  const Value* spec = front.find("spec");
  const Value* ports = spec == nullptr ? nullptr : spec->find("ports");
  if (has_port(front, port) || ports == nullptr || !ports->is_array() || ports->as_array().empty()) return port;
  return static_cast<int>(ports->as_array().front().get_int("port"));
}

}  // namespace slipway::pods
