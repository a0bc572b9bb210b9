// A run driven event by event, for tests of the fold and the planner.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "slipway/run/snapshot.h"

namespace slipway::test {

inline Instant at_second(std::int64_t second) { return Instant(std::chrono::seconds(1'700'000'000 + second)); }

// "a", or "a[3]".
inline TaskKey key_of(const std::string& task) {
  const auto bracket = task.find('[');
  if (bracket == std::string::npos) return TaskKey{TaskId(task), TaskKey::kUnmapped};
  return TaskKey{TaskId(task.substr(0, bracket)), std::stoi(task.substr(bracket + 1))};
}

class RunBuilder {
 public:
  explicit RunBuilder(dag::Dag dag, const std::string& id = "r1")
      : run_(run::activate({}, std::make_shared<const dag::Dag>())), id_(id) {
    run_.dag = std::make_shared<const dag::Dag>(std::move(dag));
    run::RunCreated created;
    created.header.id = id_;
    created.header.dag = run_.dag->id;
    created.header.created_at = created.header.logical_date = at_;
    created.header.params = Value::Object{};
    for (const auto& task : run_.dag->tasks) created.tasks.push_back(TaskKey{task.id, TaskKey::kUnmapped});
    emit(std::move(created));
  }

  RunBuilder& at(Instant instant) {
    at_ = instant;
    return *this;
  }
  RunBuilder& emit(run::EventBody body) {
    run::fold(run_, {id_, run_.state.last_seq + 1, at_, std::move(body)});
    return *this;
  }
  RunBuilder& start() { return emit(run::RunMoved{run::RunState::Running}); }
  RunBuilder& schedule(const std::string& task) {
    return emit(run::TaskMoved{key_of(task), run::TaskState::Scheduled});
  }
  RunBuilder& expand(const std::string& task, Value::Array items) {
    return emit(run::TaskExpanded{TaskId(task), std::move(items)});
  }
  RunBuilder& open(const std::string& task) {
    if (state(task) != run::TaskState::Scheduled) schedule(task);
    return emit(run::AttemptOpened{next(task), "fake", {}});
  }
  RunBuilder& running(const std::string& task, std::optional<Instant> deadline = {}) {
    return emit(run::AttemptStarted{last(task), run::AttemptState::Running, "1:1", deadline});
  }
  // From none to an end by way of an attempt.
  RunBuilder& finish(const std::string& task, run::TaskState to, Value outputs = {}) {
    open(task).running(task);
    return end(task, to, std::move(outputs));
  }
  RunBuilder& end(const std::string& task, run::TaskState to, Value outputs = {}) {
    run::AttemptEnded ended;
    ended.id = last(task);
    ended.to = to == run::TaskState::Success ? run::AttemptState::Succeeded : run::AttemptState::Failed;
    ended.failure = to == run::TaskState::Success ? run::FailureClass::None : run::FailureClass::User;
    ended.exit_code = to == run::TaskState::Success ? 0 : 1;
    ended.reason = to == run::TaskState::Success ? "" : "exit code 1";
    ended.outputs = std::move(outputs);
    ended.task_to = to;
    if (to == run::TaskState::UpForRetry) ended.retry_at = at_ + std::chrono::seconds(30);
    return emit(std::move(ended));
  }

  [[nodiscard]] AttemptId last(const std::string& task) const {
    return {id_, key_of(task), run_.state.tasks.at(key_of(task)).attempts};
  }
  [[nodiscard]] AttemptId next(const std::string& task) const {
    return {id_, key_of(task), run_.state.tasks.at(key_of(task)).attempts + 1};
  }
  [[nodiscard]] run::TaskState state(const std::string& task) const { return run_.state.tasks.at(key_of(task)).state; }
  [[nodiscard]] run::ActiveRun& run() { return run_; }
  [[nodiscard]] const RunId& id() const { return id_; }

 private:
  run::ActiveRun run_;
  RunId id_;
  Instant at_ = at_second(0);
};

}  // namespace slipway::test
