#include "support/fake_cluster.h"

#include <algorithm>

#include "slipway/base/time.h"

namespace slipway::test {
namespace {

std::string now_text() { return to_rfc3339(SystemClock().now()); }

std::string status_body(int code, const std::string& reason, const std::string& message) {
  return Value(Value::Object{{"kind", "Status"},
                             {"apiVersion", "v1"},
                             {"status", "Failure"},
                             {"code", code},
                             {"reason", reason},
                             {"message", message}})
      .dump();
}

std::string name_of(const Value& pod) { return pod.find("metadata")->get_string("name"); }

std::string variable(const Value& pod, std::string_view name) {
  const Value& main = pod.find("spec")->find("containers")->as_array().front();
  if (const Value* env = main.find("env"))
    for (const Value& one : env->as_array())
      if (one.get_string("name") == name) return one.get_string("value");
  return {};
}

Value container(const std::string& state, Value what) {
  Value one(Value::Object{{"name", "main"}});
  one["state"][state] = std::move(what);
  return Value::Array{std::move(one)};
}

const Value* main_state(const Value& pod, std::string_view state) {
  const Value* all = pod.find("status")->find("containerStatuses");
  if (all == nullptr) return nullptr;
  return all->as_array().front().find("state")->find(state);
}

bool has_ended(const Value& pod) { return main_state(pod, "terminated") != nullptr; }

}  // namespace

FakeCluster::FakeCluster() {
  server_ =
      std::make_unique<ScriptedServer>([this](const http::Request& request, Peer& peer) { serve(request, peer); });
}

FakeCluster::~FakeCluster() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  server_.reset();
}

void FakeCluster::set_intercept(Intercept intercept) {
  const std::lock_guard lock(mutex_);
  intercept_ = std::move(intercept);
}
void FakeCluster::set_manual(bool manual) {
  const std::lock_guard lock(mutex_);
  manual_ = manual;
}

int FakeCluster::starts(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = starts_.find(name);
  return found == starts_.end() ? 0 : found->second;
}
std::vector<std::string> FakeCluster::pods() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, pod] : pods_) names.push_back(name);
  return names;
}
std::optional<Value> FakeCluster::pod(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = pods_.find(name);
  return found == pods_.end() ? std::nullopt : std::optional(found->second);
}
int FakeCluster::count(const std::string& method_and_path) const {
  const std::lock_guard lock(mutex_);
  const auto found = counts_.find(method_and_path);
  return found == counts_.end() ? 0 : found->second;
}

void FakeCluster::serve(const http::Request& request, Peer& peer) {
  Intercept intercept;
  {
    const std::lock_guard lock(mutex_);
    ++counts_[request.method + " " + request.path];
    intercept = intercept_;
  }
  if (intercept && intercept(request, peer)) return;
  if (request.path.starts_with("/apis/authorization"))
    return peer.reply(201, R"({"kind":"SelfSubjectAccessReview","status":{"allowed":true}})");
  const auto at = request.path.find("/pods");
  const std::string rest = at == std::string::npos ? "" : request.path.substr(at + 5);
  if (rest.empty() && request.method == "POST") return create_pod(request, peer);
  if (rest.empty() && request.query.count("watch") > 0) return watch(request, peer);
  if (rest.empty()) return list(peer);
  const std::string name = rest.substr(1, rest.find('/', 1) - 1);
  if (rest.ends_with("/log")) return log(request, peer, name);
  if (request.method == "DELETE") return delete_pod(request, peer, name);
  const auto found = pod(name);
  found ? peer.reply(200, found->dump()) : peer.reply(404, status_body(404, "NotFound", "no pod " + name));
}

void FakeCluster::create_pod(const http::Request& request, Peer& peer) {
  auto pod = parse_json(request.body);
  const std::string name = name_of(*pod);
  if (this->pod(name))
    return peer.reply(409, status_body(409, "AlreadyExists", "pods \"" + name + "\" already exists"));
  create(*pod);
  peer.reply(201, this->pod(name).value_or(*pod).dump());
}

void FakeCluster::create(const Value& made) {
  const std::lock_guard lock(mutex_);
  Value pod = made;
  const std::string name = name_of(pod);
  pod["metadata"]["uid"] = "uid-" + std::to_string(++version_) + "-" + name;
  pod["metadata"]["creationTimestamp"] = now_text();
  pod["status"] = Value::Object{{"phase", "Pending"}};
  pods_[name] = pod;
  tell("ADDED", pod);
  if (manual_) return;
  start(name);
  if (!variable(pod, "FAKE_FOREVER").empty()) return;
  const std::string code = variable(pod, "FAKE_EXIT");
  stop(name, code.empty() ? 0 : std::stoi(code), variable(pod, "FAKE_OUTPUT"), "");
}

// In the order of the events; each has a version of its own.
void FakeCluster::tell(const std::string& type, const Value& pod) {
  Value told = pod;
  told["metadata"]["resourceVersion"] = std::to_string(++version_);
  if (const auto it = pods_.find(name_of(pod)); it != pods_.end())
    it->second["metadata"]["resourceVersion"] = std::to_string(version_);
  events_.push_back({version_, Value(Value::Object{{"type", type}, {"object", told}}).dump() + "\n"});
  changed_.notify_all();
}

void FakeCluster::change(const std::string& name, const std::function<void(Value&)>& edit) {
  const auto found = pods_.find(name);
  if (found == pods_.end()) return;
  edit(found->second);
  tell("MODIFIED", found->second);
}

void FakeCluster::start(const std::string& name) {
  ++starts_[name];
  change(name, [](Value& pod) {
    pod["spec"]["nodeName"] = "n1";
    pod["status"]["phase"] = "Running";
    pod["status"]["containerStatuses"] = container("running", Value::Object{{"startedAt", now_text()}});
  });
}

void FakeCluster::stop(const std::string& name, int exit_code, const std::string& message, const std::string& reason) {
  change(name, [&](Value& pod) {
    const Value* running = main_state(pod, "running");
    const std::string since = running == nullptr ? now_text() : running->get_string("startedAt");
    pod["status"]["phase"] = exit_code == 0 ? "Succeeded" : "Failed";
    pod["status"]["containerStatuses"] = container(
        "terminated", Value::Object{{"exitCode", exit_code},
                                    {"reason", reason.empty() ? (exit_code == 0 ? "Completed" : "Error") : reason},
                                    {"message", message},
                                    {"startedAt", since},
                                    {"finishedAt", now_text()}});
  });
}

void FakeCluster::drop(const std::string& name) {
  const auto found = pods_.find(name);
  if (found == pods_.end()) return;
  const Value last = found->second;
  pods_.erase(found);
  tell("DELETED", last);
}

void FakeCluster::delete_pod(const http::Request& request, Peer& peer, const std::string& name) {
  const auto options = parse_json(request.body);
  const std::lock_guard lock(mutex_);
  const auto found = pods_.find(name);
  if (found == pods_.end()) return peer.reply(404, status_body(404, "NotFound", "no pod " + name));
  const Value* wanted = options->find("preconditions");
  if (wanted != nullptr && wanted->get_string("uid") != found->second.find("metadata")->get_string("uid"))
    return peer.reply(409, status_body(409, "Conflict", "the UID in the precondition does not match"));
  const bool manual = manual_;
  const bool ended = has_ended(found->second);
  const bool running = main_state(found->second, "running") != nullptr;
  change(name, [](Value& pod) { pod["metadata"]["deletionTimestamp"] = now_text(); });
  peer.reply(200, found->second.dump());
  if (manual && !ended) return;
  if (running) stop(name, 143, "", "");
  drop(name);
}

void FakeCluster::list(Peer& peer) {
  const std::lock_guard lock(mutex_);
  Value::Array items;
  for (const auto& [name, pod] : pods_) items.push_back(pod);
  peer.reply(200, Value(Value::Object{{"kind", "PodList"},
                                      {"metadata", Value::Object{{"resourceVersion", std::to_string(version_)}}},
                                      {"items", std::move(items)}})
                      .dump());
}

void FakeCluster::watch(const http::Request& request, Peer& peer) {
  std::int64_t seen = std::stoll(request.query.at("resourceVersion"));
  std::unique_lock lock(mutex_);
  const int turn = watch_turn_;
  peer.begin(200);
  while (!stopping_ && turn == watch_turn_ && peer.open()) {
    std::string lines;
    for (const Event& event : events_)
      if (event.version > seen) lines += event.line;
    if (!events_.empty()) seen = std::max(seen, events_.back().version);
    if (!lines.empty()) peer.chunk(lines);
    changed_.wait(lock, [&] { return stopping_ || turn != watch_turn_ || version_ > seen; });
  }
  peer.end();
}

void FakeCluster::log(const http::Request& request, Peer& peer, const std::string& name) {
  std::unique_lock lock(mutex_);
  const auto found = pods_.find(name);
  if (found == pods_.end()) return peer.reply(404, status_body(404, "NotFound", "no pod " + name));
  if (main_state(found->second, "running") == nullptr && !has_ended(found->second))
    return peer.reply(400, status_body(400, "BadRequest", "container is waiting to start"));
  peer.begin(200);
  std::size_t sent = 0;
  const bool follows = request.query.count("follow") > 0;
  while (peer.open()) {
    const std::string& all = logs_[name];
    if (all.size() > sent) peer.chunk(all.substr(sent));
    sent = all.size();
    const auto pod = pods_.find(name);
    if (!follows || stopping_ || pod == pods_.end() || has_ended(pod->second)) break;
    changed_.wait(lock);
  }
  peer.end();
}

void FakeCluster::run(const std::string& name) {
  const std::lock_guard lock(mutex_);
  start(name);
}
void FakeCluster::finish(const std::string& name, int exit_code, const std::string& message,
                         const std::string& reason) {
  const std::lock_guard lock(mutex_);
  stop(name, exit_code, message, reason);
}
void FakeCluster::set_waiting(const std::string& name, const std::string& reason, const std::string& message) {
  const std::lock_guard lock(mutex_);
  change(name, [&](Value& pod) {
    pod["status"]["containerStatuses"] = container("waiting", Value::Object{{"reason", reason}, {"message", message}});
  });
}
void FakeCluster::edit(const std::string& name, const std::function<void(Value&)>& edit) {
  const std::lock_guard lock(mutex_);
  change(name, edit);
}
void FakeCluster::remove(const std::string& name) {
  const std::lock_guard lock(mutex_);
  drop(name);
}
void FakeCluster::say(const std::string& name, const std::string& line) {
  const std::lock_guard lock(mutex_);
  logs_[name] += line;
  changed_.notify_all();
}
void FakeCluster::cut_watches() {
  const std::lock_guard lock(mutex_);
  ++watch_turn_;
  changed_.notify_all();
}

}  // namespace slipway::test
