// The executor of rollouts: who works on which attempt. What the work is: rollout_work.cc.
#include "slipway/pods/rollouts.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "pods/pod_log.h"
#include "pods/rollout_work.h"
#include "slipway/base/file.h"
#include "slipway/exec/attempt_folder.h"
#include "slipway/pods/service_objects.h"

namespace slipway::pods {
namespace {

using run::FailureClass;

constexpr std::size_t kPlanBytesMax = 4U << 20U;

// One attempt; guarded by the executor's mutex but for `log`, which is the worker's.
struct Job {
  AttemptId id;
  std::optional<exec::LaunchSpec> spec;  // of a launch; adopted ones have a plan
  bool stop = false;
  bool begun = false;
  std::string note;
  std::optional<PodLog> log;
};

class RolloutExecutor final : public exec::Executor {
 public:
  RolloutExecutor(std::unique_ptr<kube::Client> client, RolloutOptions options, exec::ReportSink& sink,
                  const Clock& clock, Logger log)
      : options_(std::move(options)), sink_(sink), clock_(clock), log_(std::move(log)), client_(std::move(client)) {}
  ~RolloutExecutor() override {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    client_.reset();
  }

  [[nodiscard]] std::string_view name() const override { return exec::kRollouts; }

  void launch(exec::LaunchSpec spec) override {
    const AttemptId id = spec.id;
    add(id, std::move(spec), false);
  }
  void adopt(const std::vector<exec::OpenAttempt>& attempts) override {
    for (const exec::OpenAttempt& open : attempts) add(open.id, std::nullopt, open.stop_requested);
  }
  void stop(const AttemptId& id, bool) override {
    const std::lock_guard lock(mutex_);
    if (const auto job = jobs_.find(id); job != jobs_.end()) job->second->stop = true;
    changed_.notify_all();
  }
  // What is still being worked on is put back as it was.
  void forget(const AttemptId& id) override { stop(id, true); }
  [[nodiscard]] std::string note(const AttemptId& id) const override {
    const std::lock_guard lock(mutex_);
    const auto job = jobs_.find(id);
    if (job == jobs_.end()) return {};
    const bool waits = !job->second->begun && active_ >= options_.at_once_max;
    return waits ? "waits until one of the rollouts before it is over" : job->second->note;
  }

 private:
  // The worker's view of the executor.
  class Control final : public RolloutControl {
   public:
    Control(RolloutExecutor& executor, std::shared_ptr<Job> job) : executor_(executor), job_(std::move(job)) {}

    bool pause(Duration duration, bool until_stop) override {
      std::unique_lock lock(executor_.mutex_);
      executor_.changed_.wait_for(lock, duration, [&] { return is_over(until_stop); });
      return !is_over(until_stop);
    }
    [[nodiscard]] bool ending() const override {
      const std::lock_guard lock(executor_.mutex_);
      return executor_.ending_;
    }
    std::optional<kube::Answer> ask(kube::ApiCall call, bool until_stop) override {
      {
        const std::lock_guard lock(executor_.mutex_);
        if (is_over(until_stop)) return std::nullopt;
      }
      auto answer = std::make_shared<std::optional<kube::Answer>>();
      executor_.client_->call(std::move(call), [&executor = executor_, answer](kube::Answer given) {
        const std::lock_guard lock(executor.mutex_);
        *answer = std::move(given);
        executor.changed_.notify_all();
      });
      std::unique_lock lock(executor_.mutex_);
      executor_.changed_.wait(lock, [&] { return answer->has_value() || is_over(until_stop); });
      return std::move(*answer);
    }
    void say(const std::string& line) override {
      if (!job_->log) return;
      const std::string stamp = to_rfc3339(executor_.clock_.now());
      job_->log->add({stamp, line, false});
      if (const auto written = job_->log->write(); !written)
        executor_.log_.error("a log cannot be kept", {{"attempt", job_->id.str()}, {"error", written.error().message}});
    }
    void note(const std::string& text) override {
      const std::lock_guard lock(executor_.mutex_);
      job_->note = text;
    }
    [[nodiscard]] Result<void> keep(const RolloutPlan& plan) override {
      return write_whole_file(executor_.plan_file(plan.id), plan.to_value().dump());
    }

   private:
    [[nodiscard]] bool is_over(bool until_stop) const { return executor_.ending_ || (until_stop && job_->stop); }

    RolloutExecutor& executor_;
    const std::shared_ptr<Job> job_;
  };

  [[nodiscard]] std::filesystem::path plan_file(const AttemptId& id) const {
    return exec::attempt_folder(options_.home, id) / "rollout.json";
  }

  void add(const AttemptId& id, std::optional<exec::LaunchSpec> spec, bool stop) {
    const std::lock_guard lock(mutex_);
    if (jobs_.contains(id)) return;
    auto job = std::make_shared<Job>();
    job->id = id;
    job->spec = std::move(spec);
    job->stop = stop;
    jobs_[id] = job;
    queue_.push_back(std::move(job));
    const bool all_busy = static_cast<int>(queue_.size()) > idle_;
    if (all_busy && static_cast<int>(workers_.size()) < options_.at_once_max) workers_.emplace_back([this] { work(); });
    changed_.notify_all();
  }

  void work() {
    while (true) {
      std::shared_ptr<Job> job;
      {
        std::unique_lock lock(mutex_);
        ++idle_;
        changed_.wait(lock, [this] { return ending_ || !queue_.empty(); });
        --idle_;
        if (ending_) return;
        job = std::move(queue_.front());
        queue_.pop_front();
        job->begun = true;
        ++active_;
      }
      const auto report = settle(job);
      {
        const std::lock_guard lock(mutex_);
        --active_;
        if (report) jobs_.erase(job->id);
      }
      if (report) sink_.on_report(*report);
    }
  }

  // Nothing: the daemon ends first.
  std::optional<exec::Report> settle(const std::shared_ptr<Job>& job) {
    auto plan = plan_of(*job);
    if (const exec::Report* report = std::get_if<exec::Report>(&plan)) return *report;
    RolloutPlan& made = std::get<RolloutPlan>(plan);
    auto log = PodLog::open(options_.home, job->id, options_.log_bytes_max);
    if (!log) return exec::LaunchFailed{job->id, FailureClass::Launch, log.error().message};
    job->log.emplace(std::move(*log));
    Control control(*this, job);
    if (const auto kept = control.keep(made); !kept)
      return exec::LaunchFailed{job->id, FailureClass::Launch, kept.error().message};
    sink_.on_report(
        exec::Running{job->id, made.objects.empty() ? "" : kube::object_name(made.objects.front()), made.started_at});
    auto exited = run_rollout(std::move(made), options_, clock_, control);
    if (!exited) return std::nullopt;
    if (const auto closed = job->log->close(); !closed)
      log_.error("a log cannot be kept", {{"attempt", job->id.str()}, {"error", closed.error().message}});
    return *std::move(exited);
  }

  // What was kept of it, or what is to be done; or how it ends already.
  std::variant<RolloutPlan, exec::Report> plan_of(const Job& job) {
    std::error_code ignored;
    if (std::filesystem::exists(plan_file(job.id), ignored)) {
      const auto text = read_whole_file(plan_file(job.id), kPlanBytesMax);
      auto kept = text ? RolloutPlan::parse(*text) : Result<RolloutPlan>(text.error());
      if (kept) return *std::move(kept);
      return exec::Report(exec::Lost{job.id, "its rollout.json cannot be read: " + kept.error().message, true});
    }
    if (!job.spec) return exec::Report(exec::Lost{job.id, "nothing of it was begun", true});
    if (is_stopped(job))
      return exec::Report(exec::LaunchFailed{job.id, FailureClass::External, "it was stopped before it started"});
    auto objects = prepare_objects(*job.spec, options_.defaults);
    if (!objects) {
      const Error& error = objects.error();
      return exec::Report(exec::LaunchFailed{job.id, FailureClass::Config,
                                             error.message + (error.help.empty() ? "" : " (" + error.help + ")")});
    }
    RolloutPlan plan{.id = job.id, .dag = job.spec->dag, .objects = *std::move(objects)};
    plan.recreate = job.spec->rollout->recreate;
    plan.service = job.spec->service;
    plan.started_at = clock_.now();
    return plan;
  }
  bool is_stopped(const Job& job) const {
    const std::lock_guard lock(mutex_);
    return job.stop;
  }

  const RolloutOptions options_;
  exec::ReportSink& sink_;
  const Clock& clock_;
  const Logger log_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<AttemptId, std::shared_ptr<Job>> jobs_;  // guarded by mutex_, as what follows
  std::deque<std::shared_ptr<Job>> queue_;
  std::vector<std::thread> workers_;
  int idle_ = 0, active_ = 0;
  bool ending_ = false;
  std::unique_ptr<kube::Client> client_;  // its answers need what stands above
};

}  // namespace

std::unique_ptr<exec::Executor> make_rollout_executor(std::unique_ptr<kube::Client> client, RolloutOptions options,
                                                      exec::ReportSink& sink, const Clock& clock, Logger log) {
  return std::make_unique<RolloutExecutor>(std::move(client), std::move(options), sink, clock, std::move(log));
}

}  // namespace slipway::pods
