// What executors report. Reports may come twice, late, or for attempts that are long over: the first result counts.
#include "engine/core.h"
#include "engine/patience.h"
#include "engine/render.h"
#include "engine/selection.h"

namespace slipway::engine {
namespace {

using run::AttemptState;
using run::FailureClass;

// The output of a successful command must be one JSON object; `problem` says what is wrong with it otherwise.
Value read_output(const exec::Exited& report, std::string& problem) {
  if (report.output_too_large) {
    problem = "output-too-large: $SLIPWAY_OUTPUT holds more than 4,096 bytes";
    return {};
  }
  if (report.output.empty()) return {};
  auto parsed = parse_json(report.output);
  if (parsed && parsed->is_object()) return *std::move(parsed);
  problem = "output-invalid: $SLIPWAY_OUTPUT is no JSON object" + (parsed ? "" : ": " + parsed.error().message);
  return {};
}

std::optional<Instant> deadline_of(const run::ActiveRun& run, const AttemptId& id, Instant started_at) {
  const dag::Task& task = *run.task(id.key.task);
  return task.timeout == Duration(0) ? std::nullopt : std::optional(started_at + task.timeout);
}

}  // namespace

void Core::handle(const exec::Report& report) {
  const auto take = [this](const auto& r) {
    work_on_run(r.id.run);
    on(r);
  };
  std::visit(take, report);
}

// The attempt, if its end is still awaited. One that is over is forgotten again: the report shows that the executor
// still keeps it.
const run::Attempt* Core::open_attempt_of(const AttemptId& id) {
  const auto run = snapshot_.runs.find(id.run);
  if (run != snapshot_.runs.end()) {
    const auto attempt = run->second.state.attempts.find(id);
    if (attempt == run->second.state.attempts.end()) return nullptr;
    if (!run::is_terminal(attempt->second.state)) return &attempt->second;
  }
  if (quarantined_.count(id.run) == 0) effects_.forgets.push_back(id);
  return nullptr;
}

void Core::on(const exec::Launched& report) {
  const run::Attempt* attempt = open_attempt_of(report.id);
  if (attempt == nullptr || attempt->identity == report.identity) return;
  if (attempt->state == AttemptState::Intent || attempt->state == AttemptState::Stopping)
    emit(report.id.run, run::AttemptStarted{report.id, AttemptState::Launched, report.identity});
}

void Core::on(const exec::Running& report) {
  const run::Attempt* attempt = open_attempt_of(report.id);
  if (attempt == nullptr || attempt->state == AttemptState::Running) return;
  if (attempt->state == AttemptState::Stopping && attempt->started_at) return;
  emit(report.id.run,
       run::AttemptStarted{report.id, AttemptState::Running, report.identity,
                           deadline_of(snapshot_.runs.at(report.id.run), report.id, report.at), report.at});
}

void Core::on(const exec::Exited& report) {
  const run::Attempt* attempt = open_attempt_of(report.id);
  if (attempt == nullptr) return;
  sched::Observation seen;
  seen.at = report.at;
  seen.exit_code = report.exit_code;
  seen.oom = report.oom;
  seen.failure = report.failure;
  seen.message = report.message;
  seen.outputs = read_output(report, seen.output_error);
  note_pace(*attempt, report.at);
  end_attempt(*attempt, seen);
}

void Core::on(const exec::LaunchFailed& report) {
  const run::Attempt* attempt = open_attempt_of(report.id);
  if (attempt == nullptr) return;
  sched::Observation seen;
  seen.at = now_;
  seen.failure = report.failure;
  seen.message = report.message;
  end_attempt(*attempt, seen);
}

void Core::on(const exec::Lost& report) {
  const run::Attempt* attempt = open_attempt_of(report.id);
  if (attempt == nullptr) return;
  if (report.end_proved) {
    sched::Observation seen;
    seen.at = now_;
    seen.failure = FailureClass::InfraLost;
    seen.message = report.message;
    return end_attempt(*attempt, seen);
  }
  if (attempt->state == AttemptState::Lost) return;
  run::AttemptEnded lost{report.id, AttemptState::Lost, FailureClass::InfraLost, report.message};
  emit(report.id.run, std::move(lost));
}

// A result, what follows from it and the executor's leave to forget are one step.
void Core::end_attempt(const run::Attempt& attempt, const sched::Observation& seen) {
  const AttemptId id = attempt.id;
  const run::ActiveRun& run = snapshot_.runs.at(id.run);
  const dag::Task& task = *run.task(id.key.task);
  run::AttemptEnded ended = judge_end({options_, snapshot_, run, task, id}, attempt, seen);
  const run::TaskInstance& instance = run.state.tasks.at(id.key);
  const bool counts = attempt.generation == instance.generation;
  if (counts && ended.task_to == run::TaskState::Success) apply_success(attempt, ended);
  if (ended.task_to == run::TaskState::Success && task.service) {
    store::Service service{
        task.service->name, run.dag->id, id, ended.outputs.get_string("url"), run.state.header.logical_date, now_};
    batch_.services.push_back(service);
    services_[service.name] = std::move(service);
  }
  const bool clearing = instance.clearing;
  if (ended.task_to == run::TaskState::UpForRetry && attempt.generation == instance.generation && !clearing)
    tell_of_retry(run, ended);
  emit(id.run, std::move(ended));
  effects_.forgets.push_back(id);
  // The generation that a clear asked for, unless somebody decided otherwise since.
  const run::RunState state = run.state.state;
  if (!clearing || (state != run::RunState::Running && state != run::RunState::Queued) || run.state.marked) return;
  emit(id.run, run::TaskReset{id.key});
  reset(id.run, undecided_below(run, {id.key}));
}

void Core::note_pace(const run::Attempt& attempt, Instant ended_at) {
  const run::ActiveRun& run = snapshot_.runs.at(attempt.id.run);
  const DagId& dag = run.dag->id;
  const auto entry = snapshot_.dags.find(dag);
  patient_.erase(attempt.id.run);
  if (options_.ahead_max == 0 || !attempt.started_at || entry == snapshot_.dags.end()) return;
  const Duration took = ended_at - *attempt.started_at;
  if (took < Duration(0)) return;  // the clock was set meanwhile
  Pace& pace = paces_[dag];
  pace.add(took);
  entry->second.launch_ahead = pace.ahead(options_.slots, options_.ahead_max);
  if (entry->second.launch_ahead > 0 && may_be_patient(run.open_attempts.size(), options_.slots))
    patient_.insert(attempt.id.run);
}

}  // namespace slipway::engine
