#include "slipway/kube/api.h"

#include <algorithm>

#include "slipway/base/assert.h"

namespace slipway::kube {
namespace {

constexpr Duration kWatchLeeway = std::chrono::seconds(30);

std::string whole_seconds(Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(duration).count());
}

using Query = std::vector<std::pair<std::string, std::string>>;

void add(Query& query, std::string_view name, std::string value) {
  if (!value.empty()) query.emplace_back(name, std::move(value));
}

void add_write(Query& query, const WriteOptions& options) {
  if (options.dry_run) add(query, "dryRun", "All");
  add(query, "fieldValidation", options.strict ? "Strict" : "Ignore");
}

ApiCall patch_call(const ObjectPath& object, const Value& body, const char* content_type) {
  SLIPWAY_ASSERT(!object.name.empty());
  ApiCall call{.verb = Verb::Patch, .method = "PATCH", .path = object.str()};
  call.body = body.dump();
  call.content_type = content_type;
  return call;
}

}  // namespace

std::string ObjectPath::str() const {
  std::string out = type.group.empty() ? "/api/" : "/apis/" + std::string(type.group) + "/";
  out += type.version;
  if (!namespace_name.empty()) out += "/namespaces/" + http::percent_encode(namespace_name);
  out += "/" + std::string(type.plural);
  if (!name.empty()) out += "/" + http::percent_encode(name);
  return out;
}

std::string ApiCall::str() const { return std::string(kVerbs.text(verb)) + " " + path; }

std::string ApiCall::target() const {
  std::string out = path;
  char mark = '?';
  for (const auto& [name, value] : query) {
    out += mark + http::percent_encode(name) + "=" + http::percent_encode(value);
    mark = '&';
  }
  return out;
}

ApiCall get_call(const ObjectPath& object) {
  SLIPWAY_ASSERT(!object.name.empty());
  return {.verb = Verb::Get, .method = "GET", .path = object.str()};
}

ApiCall list_call(const ObjectPath& collection, const ListOptions& options) {
  SLIPWAY_ASSERT(collection.name.empty());
  ApiCall call{.verb = Verb::List, .method = "GET", .path = collection.str()};
  add(call.query, "labelSelector", options.label_selector);
  add(call.query, "fieldSelector", options.field_selector);
  if (options.limit > 0) add(call.query, "limit", std::to_string(options.limit));
  if (options.continue_token.empty()) {
    add(call.query, "resourceVersion", options.resource_version);
  } else {
    add(call.query, "continue", options.continue_token);
  }
  return call;
}

ApiCall watch_call(const ObjectPath& collection, const WatchOptions& options) {
  SLIPWAY_ASSERT(collection.name.empty());
  ApiCall call{.verb = Verb::Watch, .method = "GET", .path = collection.str()};
  call.query = {{"watch", "1"}, {"allowWatchBookmarks", "true"}, {"timeoutSeconds", whole_seconds(options.limit)}};
  add(call.query, "resourceVersion", options.resource_version);
  add(call.query, "labelSelector", options.label_selector);
  add(call.query, "fieldSelector", options.field_selector);
  call.timeout = options.limit + kWatchLeeway;
  return call;
}

ApiCall create_call(const ObjectPath& collection, const Value& object, const WriteOptions& options) {
  const Value* metadata = object.find("metadata");
  const bool named = metadata != nullptr && !metadata->get_string("name").empty();
  SLIPWAY_ASSERT(collection.name.empty() && (named || collection.type.group == kAccessReviews.group));
  ApiCall call{.verb = Verb::Create, .method = "POST", .path = collection.str()};
  add_write(call.query, options);
  call.body = object.dump();
  call.content_type = "application/json";
  return call;
}

ApiCall merge_patch_call(const ObjectPath& object, const Value& patch, const WriteOptions& options) {
  ApiCall call = patch_call(object, patch, "application/merge-patch+json");
  add_write(call.query, options);
  return call;
}

ApiCall apply_call(const ObjectPath& object, const Value& wanted, const ApplyOptions& options) {
  SLIPWAY_ASSERT(!options.field_manager.empty());
  // JSON is YAML; the server takes this content type only.
  ApiCall call = patch_call(object, wanted, "application/apply-patch+yaml");
  add(call.query, "fieldManager", options.field_manager);
  if (options.force) add(call.query, "force", "true");
  add_write(call.query, options.write);
  return call;
}

ApiCall delete_call(const ObjectPath& object, const DeleteOptions& options) {
  SLIPWAY_ASSERT(!object.name.empty());
  ApiCall call{.verb = Verb::Delete, .method = "DELETE", .path = object.str()};
  Value body(Value::Object{{"apiVersion", "v1"},
                           {"kind", "DeleteOptions"},
                           {"propagationPolicy", std::string(kPropagations.text(options.propagation))}});
  if (!options.uid.empty()) body["preconditions"] = Value::Object{{"uid", options.uid}};
  if (options.grace)
    body["gracePeriodSeconds"] = std::int64_t{std::chrono::duration_cast<std::chrono::seconds>(*options.grace).count()};
  if (options.dry_run) body["dryRun"] = Value::Array{"All"};
  call.body = body.dump();
  call.content_type = "application/json";
  // Without a uid the second request may hit a successor of the same name.
  call.repeatable = !options.uid.empty() || options.dry_run;
  return call;
}

ApiCall log_call(const ObjectPath& pod, const LogOptions& options) {
  SLIPWAY_ASSERT(!pod.name.empty());
  ApiCall call{.verb = Verb::Log, .method = "GET", .path = pod.str() + "/log"};
  call.query = {{"timestamps", "true"}};
  add(call.query, "container", options.container);
  if (options.follow) add(call.query, "follow", "true");
  if (options.previous) add(call.query, "previous", "true");
  add(call.query, "sinceTime", options.since_time);
  if (options.tail_lines) add(call.query, "tailLines", std::to_string(*options.tail_lines));
  call.timeout = Duration(0);
  return call;
}

}  // namespace slipway::kube
