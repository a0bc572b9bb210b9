// An API server for pods with a kubelet of its own, over real sockets. Pods do what variables of their main container
// say: FAKE_EXIT, FAKE_OUTPUT, FAKE_FOREVER; with `manual` they wait until a test sets their status.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "slipway/base/value.h"
#include "support/scripted_server.h"

namespace slipway::test {

class FakeCluster {
 public:
  FakeCluster();
  ~FakeCluster();

  [[nodiscard]] std::string url() const { return server_->url(); }

  // Answers in place of the cluster where it returns true. Called without locks.
  using Intercept = std::function<bool(const http::Request&, Peer&)>;
  void set_intercept(Intercept intercept);
  void set_manual(bool manual);

  // How many pods of that name were ever started.
  [[nodiscard]] int starts(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> pods() const;
  [[nodiscard]] std::optional<Value> pod(const std::string& name) const;
  // All requests so far, as "POST /api/v1/namespaces/a/pods".
  [[nodiscard]] int count(const std::string& method_and_path) const;

  // By hand, as a kubelet or a person would.
  void create(const Value& pod);
  void run(const std::string& name);
  void finish(const std::string& name, int exit_code, const std::string& message = {}, const std::string& reason = {});
  void set_waiting(const std::string& name, const std::string& reason, const std::string& message = {});
  void edit(const std::string& name, const std::function<void(Value&)>& change);
  void remove(const std::string& name);  // the object goes, whatever its state
  void say(const std::string& name, const std::string& line);
  // Ends all watches; those that follow resume or list again.
  void cut_watches();

 private:
  void serve(const http::Request& request, Peer& peer);
  void create_pod(const http::Request& request, Peer& peer);
  void delete_pod(const http::Request& request, Peer& peer, const std::string& name);
  void list(Peer& peer);
  void watch(const http::Request& request, Peer& peer);
  void log(const http::Request& request, Peer& peer, const std::string& name);
  void tell(const std::string& type, const Value& pod);                           // under the lock
  void change(const std::string& name, const std::function<void(Value&)>& edit);  // under the lock
  void start(const std::string& name);                                            // under the lock
  void stop(const std::string& name, int exit_code, const std::string& message, const std::string& reason);
  void drop(const std::string& name);

  struct Event {
    std::int64_t version;
    std::string line;
  };
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Value> pods_;
  std::map<std::string, int> starts_;
  std::map<std::string, std::string> logs_;
  std::map<std::string, int> counts_;
  std::vector<Event> events_;
  Intercept intercept_;
  bool manual_ = false;
  bool stopping_ = false;
  int watch_turn_ = 0;
  std::int64_t version_ = 1;
  std::unique_ptr<ScriptedServer> server_;
};

}  // namespace slipway::test
