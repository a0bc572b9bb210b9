#include <condition_variable>
#include <deque>
#include <fstream>
#include <mutex>
#include <thread>

#include "slipway/base/base64.h"
#include "slipway/base/file.h"
#include "slipway/base/value.h"
#include "slipway/mlsteps/tracker.h"

namespace slipway::mlsteps {
namespace {

constexpr std::size_t kSpoolBytesMax = 256U << 20U;
constexpr std::size_t kMetricsMax = 1000;  // of one request, by MLflow's rules
constexpr std::size_t kParamsMax = 100;
constexpr std::size_t kParamBytesMax = 500;
constexpr Duration kRetryMax = std::chrono::minutes(1);
constexpr Duration kRequestLimit = std::chrono::seconds(5);

std::int64_t milliseconds(Instant at) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
}

Value::Array pairs(const std::map<std::string, std::string>& values) {
  Value::Array list;
  for (const auto& [key, value] : values)
    if (value.size() <= kParamBytesMax) list.emplace_back(Value::Object{{"key", key}, {"value", value}});
  return list;
}

// One request of a run; `create` gives the run its id, which the others wait for.
struct Entry {
  std::string path;
  Value body;
};

Value to_value(const Entry& entry) { return Value::Object{{"path", entry.path}, {"body", entry.body}}; }

// What became of a request.
enum class Sent : std::uint8_t { Done, Refused, Later };

class MlflowClient final : public Tracker {
 public:
  MlflowClient(MlflowServer server, std::unique_ptr<http::Transport> transport, TrackerNote note)
      : server_(std::move(server)), transport_(std::move(transport)), note_(std::move(note)) {
    while (server_.uri.ends_with('/')) server_.uri.pop_back();
    read_spool();
    thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
  }

  ~MlflowClient() override {
    thread_.request_stop();
    thread_.join();
  }

  void start(const TrackedRun& run) override {
    if (run.exists) {
      const std::scoped_lock lock(mutex_);
      given_id_ = run.id;
    } else {
      auto tags = run.tags;
      tags.emplace("mlflow.runName", run.name);
      push({"runs/create", Value::Object{{"experiment", run.experiment},
                                         {"run_name", run.name},
                                         {"start_time", milliseconds(run.start)},
                                         {"tags", pairs(tags)}}});
    }
    const auto params = pairs(run.params);
    for (std::size_t first = 0; first < params.size(); first += kParamsMax) {
      const std::size_t last = std::min(first + kParamsMax, params.size());
      push({"runs/log-batch",
            Value::Object{{"params", Value::Array(params.begin() + static_cast<std::ptrdiff_t>(first),
                                                  params.begin() + static_cast<std::ptrdiff_t>(last))}}});
    }
  }

  void metrics(std::int64_t step, Instant at, const std::map<std::string, double>& values) override {
    Value::Array list;
    for (const auto& [key, value] : values)
      list.emplace_back(Value::Object{{"key", key}, {"value", value}, {"timestamp", milliseconds(at)}, {"step", step}});
    push({"runs/log-batch", Value::Object{{"metrics", std::move(list)}}});
    tell();
  }

  void end(RunStatus status, Instant at) override {
    push({"runs/update", Value::Object{{"status", kRunStatuses.text(status)}, {"end_time", milliseconds(at)}}});
    std::unique_lock lock(mutex_);
    idle_.wait_for(lock, server_.end_limit, [this] { return queue_.empty() && !busy_; });
    lock.unlock();
    thread_.request_stop();
    wake_.notify_all();
    thread_.join();
    thread_ = std::jthread([] {});
    tell();
    write_spool();
  }

  [[nodiscard]] std::string run_id() const override {
    const std::scoped_lock lock(mutex_);
    return given_id_.empty() ? run_id_ : given_id_;
  }

 private:
  void push(Entry entry) {
    const std::scoped_lock lock(mutex_);
    if (!given_id_.empty()) entry.body["run_id"] = given_id_;
    queue_.push_back(std::move(entry));
    wake_.notify_all();
  }

  // Passes on what the thread found, on the caller's thread.
  void tell() {
    std::string problem;
    {
      const std::scoped_lock lock(mutex_);
      problem.swap(problem_);
    }
    if (problem.empty() || problem == told_) return;
    told_ = problem;
    note_("tracking: " + problem);
  }

  void work(const std::stop_token& stop) {
    Duration wait = server_.retry;
    std::unique_lock lock(mutex_);
    for (;;) {
      idle_.notify_all();
      if (!wake_.wait(lock, stop, [this] { return !queue_.empty(); })) return;
      Entry entry = take();
      busy_ = true;
      lock.unlock();
      const Sent sent = deliver(entry);
      lock.lock();
      busy_ = false;
      if (sent != Sent::Later) {
        wait = server_.retry;
        continue;
      }
      queue_.push_front(std::move(entry));
      wake_.wait_for(lock, stop, wait, [] { return false; });
      if (stop.stop_requested()) return;
      wait = std::min(wait * 2, kRetryMax);
    }
  }

  // The next request; metrics that wait behind each other go in one.
  Entry take() {
    Entry entry = std::move(queue_.front());
    queue_.pop_front();
    Value* metrics =
        entry.path == "runs/log-batch" && entry.body.find("metrics") != nullptr ? &entry.body["metrics"] : nullptr;
    while (metrics != nullptr && !queue_.empty() && queue_.front().path == "runs/log-batch") {
      const Value* more = queue_.front().body.find("metrics");
      if (more == nullptr || metrics->as_array().size() + more->as_array().size() > kMetricsMax) break;
      for (const auto& metric : more->as_array()) metrics->as_array().push_back(metric);
      queue_.pop_front();
    }
    return entry;
  }

  Sent deliver(const Entry& entry) {
    if (entry.path == "runs/create") return create(entry);
    Value body = entry.body;
    if (body.find("run_id") == nullptr) {
      const std::scoped_lock lock(mutex_);
      body["run_id"] = run_id_;
    }
    return outcome(call("POST", entry.path, body));
  }

  Sent create(const Entry& entry) {
    Value body = entry.body;
    const std::string experiment = body.get_string("experiment");
    body.as_object().erase("experiment");
    auto found = call("GET", "experiments/get-by-name?experiment_name=" + http::percent_encode(experiment), {});
    if (found && found->status == 404) found = call("POST", "experiments/create", Value::Object{{"name", experiment}});
    if (const Sent sent = outcome(found); sent != Sent::Done) return sent;
    const auto reply = parse_json(found->body);
    const Value* nested = reply ? reply->find("experiment") : nullptr;
    const std::string id = nested != nullptr ? nested->get_string("experiment_id")
                           : reply           ? reply->get_string("experiment_id")
                                             : "";
    body["experiment_id"] = id;
    const auto made = call("POST", "runs/create", body);
    if (const Sent sent = outcome(made); sent != Sent::Done) return sent;
    const auto run = parse_json(made->body);
    const Value* info = run && run->find("run") != nullptr ? run->find("run")->find("info") : nullptr;
    const std::scoped_lock lock(mutex_);
    run_id_ = info != nullptr ? info->get_string("run_id") : "";
    return Sent::Done;
  }

  Result<http::Reply> call(const std::string& method, const std::string& path, const Value& body) {
    http::Call call{
        .method = method, .url = server_.uri + "/api/2.0/mlflow/" + path, .headers = {}, .timeout = kRequestLimit};
    if (method == "POST") {
      call.body = body.dump();
      call.headers["Content-Type"] = "application/json";
    }
    if (!server_.token.empty()) call.headers["Authorization"] = "Bearer " + server_.token;
    if (server_.token.empty() && !server_.user.empty())
      call.headers["Authorization"] = "Basic " + to_base64(server_.user + ":" + server_.password);
    return transport_->send(call);
  }

  // 4xx is final: the same request would be refused again.
  Sent outcome(const Result<http::Reply>& reply) {
    if (reply && reply->status >= 200 && reply->status < 300) return Sent::Done;
    const std::string problem =
        reply ? "the server said " + std::to_string(reply->status) + " " + reply->body.substr(0, 200)
              : reply.error().message;
    const bool refused =
        reply && reply->status >= 400 && reply->status < 500 && reply->status != 429 && reply->status != 408;
    const std::scoped_lock lock(mutex_);
    problem_ = problem;
    return refused ? Sent::Refused : Sent::Later;
  }

  void read_spool() {
    const auto text = read_whole_file(server_.spool, kSpoolBytesMax);
    for (std::size_t begin = 0; text && begin < text->size();) {
      const std::size_t end = std::min(text->find('\n', begin), text->size());
      if (const auto line = parse_json(text->substr(begin, end - begin)); line && line->find("body") != nullptr)
        queue_.push_back({line->get_string("path"), *line->find("body")});
      begin = end + 1;
    }
  }

  // Requests of a run that never got its id begin with the one that makes it.
  void write_spool() {
    std::string lines;
    for (auto& entry : queue_) {
      const bool knows = entry.path == "runs/create" || entry.body.find("run_id") != nullptr;
      if (!knows && !run_id_.empty()) entry.body["run_id"] = run_id_;
      lines += to_value(entry).dump() + "\n";
    }
    std::error_code ignored;
    if (lines.empty()) {
      std::filesystem::remove(server_.spool, ignored);
      return;
    }
    const auto written = write_whole_file(server_.spool, lines);
    note_(written ? "tracking: " + std::to_string(queue_.size()) + " requests wait in " + server_.spool.string()
                  : "tracking: " + written.error().message);
  }

  MlflowServer server_;
  std::unique_ptr<http::Transport> transport_;
  TrackerNote note_;
  std::string told_;

  mutable std::mutex mutex_;
  std::condition_variable_any wake_;
  std::condition_variable_any idle_;
  std::deque<Entry> queue_;
  bool busy_ = false;
  std::string given_id_;  // of a run that goes on
  std::string run_id_;    // of the run that the last runs/create made
  std::string problem_;   // not yet told
  std::jthread thread_;
};

}  // namespace

std::unique_ptr<Tracker> track_by_mlflow(MlflowServer server, std::unique_ptr<http::Transport> transport,
                                         TrackerNote note) {
  return std::make_unique<MlflowClient>(std::move(server), std::move(transport), std::move(note));
}

}  // namespace slipway::mlsteps
