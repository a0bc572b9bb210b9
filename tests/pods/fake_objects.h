// An API server that keeps applied objects: Deployments become what a test says, Services answer through the proxy.
#pragma once

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "slipway/base/value.h"
#include "support/scripted_server.h"

namespace slipway::pods::test {

using slipway::test::Peer;

inline std::string status_text(int code, const std::string& reason, const std::string& message) {
  return Value(Value::Object{{"kind", "Status"}, {"code", code}, {"reason", reason}, {"message", message}}).dump();
}

class FakeObjects {
 public:
  FakeObjects() : server_([this](const http::Request& request, Peer& peer) { serve(request, peer); }) {}

  [[nodiscard]] std::string url() const { return server_.url(); }

  // What is told in place of an answer, once for each time it is in the list.
  struct Refusal {
    std::string method, part_of_path;
    int status = 0;
    std::string reason, message;
  };
  void refuse(Refusal refusal) {
    const std::lock_guard lock(mutex_);
    refusals_.push_back(std::move(refusal));
  }
  // Revisions (of kRevisionAnnotation) that never become ready.
  void break_revision(const std::string& revision) {
    const std::lock_guard lock(mutex_);
    broken_.insert(revision);
  }
  void set_pods(Value::Array pods) {
    const std::lock_guard lock(mutex_);
    pods_ = std::move(pods);
  }
  void set_reply(std::string reply) {
    const std::lock_guard lock(mutex_);
    reply_ = std::move(reply);
  }
  void put(const std::string& path, Value object) {
    const std::lock_guard lock(mutex_);
    objects_[path] = std::move(object);
  }
  [[nodiscard]] std::optional<Value> object(const std::string& path) const {
    const std::lock_guard lock(mutex_);
    const auto found = objects_.find(path);
    return found == objects_.end() ? std::nullopt : std::optional(found->second);
  }
  // "PATCH /apis/…", in order, without the query.
  [[nodiscard]] std::vector<std::string> writes() const {
    const std::lock_guard lock(mutex_);
    return writes_;
  }
  [[nodiscard]] std::string last_query() const {
    const std::lock_guard lock(mutex_);
    return last_query_;
  }
  [[nodiscard]] std::string asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  void serve(const http::Request& request, Peer& peer) {
    const std::lock_guard lock(mutex_);
    const std::string path = request.path.substr(0, request.path.find('?'));
    for (auto it = refusals_.begin(); it != refusals_.end(); ++it) {
      if (it->method != request.method || path.find(it->part_of_path) == std::string::npos) continue;
      const Refusal told = *it;
      refusals_.erase(it);
      return peer.reply(told.status, status_text(told.status, told.reason, told.message));
    }
    if (request.method != "GET") writes_.push_back(request.method + " " + path);
    if (path.find("/proxy") != std::string::npos) {
      asked_ = request.method + " " + path + " " + request.body;
      return peer.reply(200, reply_);
    }
    if (path.ends_with("/pods")) return peer.reply(200, Value(Value::Object{{"items", pods_}}).dump());
    if (path.ends_with("/log")) return peer.reply(200, "2026-01-01T00:00:00Z cannot load the model\n");
    if (request.method == "PATCH") return apply(path, request, peer);
    const auto found = objects_.find(path);
    if (found == objects_.end()) return peer.reply(404, status_text(404, "NotFound", path + " not found"));
    if (request.method == "DELETE") objects_.erase(found);
    peer.reply(200, request.method == "DELETE" ? R"({"kind":"Status","status":"Success"})" : found->second.dump());
  }

  void apply(const std::string& path, const http::Request& request, Peer& peer) {
    Value object = *parse_json(request.body);
    last_query_.clear();
    for (const auto& [name, value] : request.query) last_query_ += name + "=" + value + " ";
    const std::string text = object.find("spec") == nullptr ? "" : object.find("spec")->dump();
    const std::int64_t generation = ++generations_;
    object["metadata"]["generation"] = generation;
    object["metadata"]["uid"] = "u" + std::to_string(generation);
    if (object.get_string("kind") == "Deployment") {
      const bool broken = std::any_of(broken_.begin(), broken_.end(),
                                      [&](const std::string& one) { return text.find(one) != std::string::npos; });
      object["status"] = Value::Object{{"observedGeneration", generation},
                                       {"replicas", 1},
                                       {"updatedReplicas", 1},
                                       {"availableReplicas", broken ? 0 : 1}};
    }
    objects_[path] = object;
    peer.reply(200, object.dump());
  }

  mutable std::mutex mutex_;
  std::map<std::string, Value> objects_;
  std::vector<Refusal> refusals_;
  std::set<std::string> broken_;
  Value::Array pods_;
  std::string reply_ = "{}", asked_, last_query_;
  std::vector<std::string> writes_;
  std::int64_t generations_ = 0;
  slipway::test::ScriptedServer server_;  // last: serves from the first instant
};

}  // namespace slipway::pods::test
