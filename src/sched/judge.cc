// From what was seen of an attempt's end to the event that records it: docs/engine.md, "Retries".
#include <algorithm>
#include <array>
#include <cmath>

#include "slipway/base/rng.h"
#include "slipway/sched/planner.h"

namespace slipway::sched {
namespace {

using run::AttemptState;
using run::FailureClass;
using run::TaskState;

// --- success
// ----------------------------------------------------------------------------------------------------------

bool has_type(const Value& value, dag::ValueType type) {
  switch (type) {
    case dag::ValueType::Any: return true;
    case dag::ValueType::Boolean: return value.is_bool();
    case dag::ValueType::Integer:
      return value.is_int() || (value.is_double() && std::trunc(value.as_double()) == value.as_double());
    case dag::ValueType::Number: return value.is_number();
    case dag::ValueType::String: return value.is_string();
    case dag::ValueType::Array: return value.is_array();
    case dag::ValueType::Object: return value.is_object();
  }
  return false;
}

// `within`: the share of the success before that the value may be away from it. The first success has none before.
std::string distance(const dag::Check& check, const Value& value, const Value& previous) {
  const Value* before = previous.find(check.output);
  if (!check.within || before == nullptr || !before->is_number()) return {};
  const std::string name = "output `" + check.output + "`";
  if (!value.is_number()) return name + " is no number: " + value.dump();
  const double allowed = *check.within * std::abs(before->as_double());
  if (std::abs(value.as_double() - before->as_double()) <= allowed) return {};
  return name + " is " + value.dump() + ", more than " + Value(*check.within).dump() + " of " + before->dump() +
         " (the success before) away";
}

// `missing`, `rows`, `drift`: numbers that the task counted itself, members of the output; `rows` of a list is its
// length.
std::string shares(const dag::Check& check, const Value& value) {
  const auto bounded = [&](const char* member, const std::optional<double>& limit, bool at_least) -> std::string {
    if (!limit) return {};
    const std::string name = "`" + std::string(member) + "` of output `" + check.output + "`";
    const Value length = value.is_array() ? Value(static_cast<std::int64_t>(value.as_array().size())) : Value();
    const Value* found = at_least && value.is_array() ? &length : value.find(member);
    if (found == nullptr || !found->is_number()) return name + " is no number";
    if (at_least ? found->as_double() >= *limit : found->as_double() <= *limit) return {};
    return name + " is " + found->dump() + ", must be " + (at_least ? ">= " : "<= ") + Value(*limit).dump();
  };
  for (std::string text : {bounded("missing", check.missing, false), bounded("rows", check.rows, true),
                           bounded("drift", check.drift, false)})
    if (!text.empty()) return text;
  return {};
}

// What a check says against the value; empty if it holds.
std::string violation(const dag::Check& check, const Value* value, const Value& previous) {
  const std::string name = "output `" + check.output + "`";
  if (value == nullptr || value->is_null()) return name + " is missing";
  if (std::string text = distance(check, *value, previous); !text.empty()) return text;
  if (std::string text = shares(check, *value); !text.empty()) return text;
  if ((check.min || check.max) && !value->is_number()) return name + " is no number: " + value->dump();
  const auto bound = [&](const char* sign, double limit) {
    return name + " is " + value->dump() + ", must be " + sign + " " + Value(limit).dump();
  };
  // Written so that a value that compares with nothing violates both.
  if (check.min && !(value->as_double() >= *check.min)) return bound(">=", *check.min);
  if (check.max && !(value->as_double() <= *check.max)) return bound("<=", *check.max);
  if (check.equals && !(*value == *check.equals))
    return name + " is " + value->dump() + ", must be " + check.equals->dump();
  return {};
}

struct Examined {
  std::string problem;   // class check
  std::string warnings;  // of checks with severity warn
};

Examined examine_outputs(const dag::Task& task, const Observation& seen) {
  if (!seen.output_error.empty()) return {seen.output_error, {}};
  for (const auto& [name, declared] : task.outputs) {
    const Value* value = seen.outputs.find(name);
    if (value == nullptr) return {"declared output `" + name + "` is missing", {}};
    if (!has_type(*value, declared.type))
      return {"output `" + name + "` is " + value->dump() + ", declared as " +
                  std::string(dag::kValueTypes.text(declared.type)),
              {}};
  }
  Examined examined;
  for (const dag::Check& check : task.checks) {
    const std::string text = violation(check, seen.outputs.find(check.output), seen.previous);
    if (text.empty()) continue;
    if (!check.warn_only) return {text, {}};
    examined.warnings += (examined.warnings.empty() ? "warning: " : "; ") + text;
  }
  return examined;
}

// --- failure
// ----------------------------------------------------------------------------------------------------------

// "512Mi" where that is exact, else bytes.
std::string bytes_text(std::int64_t bytes) {
  constexpr std::array<std::string_view, 3> kUnits{"Gi", "Mi", "Ki"};
  for (std::size_t i = 0, shift = 30; shift > 0; ++i, shift -= 10)
    if (bytes % (std::int64_t{1} << shift) == 0) return std::to_string(bytes >> shift) + std::string(kUnits[i]);
  return std::to_string(bytes) + " bytes";
}

bool contains(const std::vector<int>& codes, const std::optional<int>& code) {
  return code && std::find(codes.begin(), codes.end(), *code) != codes.end();
}

std::string own_words(const Observation& seen) {
  if (!seen.message.empty()) return seen.message;
  const Value* error = seen.outputs.find("_error");
  return error == nullptr ? std::string() : error->get_string("message");
}

// The limit it died at; how much the machine had is not known.
std::string oom_text(const run::Attempt& attempt) {
  const std::int64_t limit = memory_of(attempt);
  return "killed for lack of memory" + (limit > 0 ? " (limit " + bytes_text(limit) + ")" : std::string());
}

std::string reason_of(const dag::Task& task, const run::Attempt& attempt, const Observation& seen,
                      FailureClass failure) {
  if (failure == FailureClass::Oom) return oom_text(attempt);
  std::string words = own_words(seen);
  std::string text;
  if (failure == FailureClass::Timeout) text = "ran longer than its timeout of " + to_text(task.timeout);
  if (failure == FailureClass::User && seen.exit_code) text = "exit code " + std::to_string(*seen.exit_code);
  if (text.empty()) return words;
  return words.empty() ? text : text + ": " + words;
}

// Uniform in [0.5, 1), the same for an attempt for ever.
double jitter(const AttemptId& id) { return 0.5 + 0.5 * Rng(stable_hash(id.str())).unit(); }

// min(max, delay · factor^(n-1)), n counting retries from 1.
Duration backoff(Duration delay, double factor, Duration max, int n) {
  const double micros = static_cast<double>(delay.count()) * std::pow(std::max(1.0, factor), n - 1);
  return micros >= static_cast<double>(max.count()) ? max : Duration(static_cast<std::int64_t>(micros));
}

struct Retry {
  bool allowed = false;
  bool infra_budget = false;
  Duration delay{0};  // before jitter
  bool memory_step = false;
};

constexpr Duration kLaunchBudget = std::chrono::minutes(5);
constexpr Duration kLaunchDelayMin = std::chrono::seconds(1);
constexpr Duration kLaunchDelayMax = std::chrono::minutes(1);
constexpr int kNotStartedLimit = 10;
constexpr int kLostLimit = 3;

Retry own_retry(const dag::Retry& retry, const run::TaskInstance& instance) {
  return {instance.retries_used < retry.limit, false,
          backoff(retry.delay, retry.backoff, retry.max_delay, instance.retries_used + 1)};
}

Retry infra_retry(const dag::Retry& retry, const run::TaskInstance& instance, int limit, Duration delay, Duration max) {
  return {instance.infra_used < retry.infra_limit.value_or(limit), true,
          backoff(delay, 2.0, max, instance.infra_used + 1)};
}

// The budget is time: each wait is as long as all before it, which doubles them without a counter.
Retry launch_retry(const run::TaskInstance& instance, Instant now) {
  const Duration since = instance.launch_since ? now - *instance.launch_since : Duration(0);
  return {since < kLaunchBudget, false, std::clamp(since, kLaunchDelayMin, kLaunchDelayMax)};
}

// The steps of on_oom are a budget of their own: at its end another attempt would die in the same way.
Retry oom_retry(const dag::Task& task, const run::TaskInstance& instance, const run::Attempt& attempt) {
  if (!task.on_oom) return own_retry(task.retry, instance);
  const dag::Retry& retry = task.retry;
  const bool more = has_memory_step(task, attempt);
  const int n = more ? memory_steps_done(task, attempt) + 1 : 1;
  return {more, false, backoff(retry.delay, retry.backoff, retry.max_delay, n), more};
}

bool code_may_retry(const dag::ExitCodes& codes, const std::optional<int>& code) {
  if (contains(codes.fail, code)) return false;
  return codes.retry.empty() || contains(codes.retry, code);
}

Retry retry_of(const dag::Task& task, const run::TaskInstance& instance, const run::Attempt& attempt,
               FailureClass failure, const Observation& seen, Instant now) {
  using namespace std::chrono_literals;
  switch (failure) {
    case FailureClass::User:
      return code_may_retry(task.exit_codes, seen.exit_code) ? own_retry(task.retry, instance) : Retry{};
    case FailureClass::Timeout: return task.retry.timeouts ? own_retry(task.retry, instance) : Retry{};
    case FailureClass::Oom: return oom_retry(task, instance, attempt);
    case FailureClass::Storage: return own_retry(task.retry, instance);
    case FailureClass::Launch: return launch_retry(instance, now);
    case FailureClass::InfraNotStarted: return infra_retry(task.retry, instance, kNotStartedLimit, 5s, 5min);
    case FailureClass::InfraLost: return infra_retry(task.retry, instance, kLostLimit, 30s, 10min);
    case FailureClass::None:
    case FailureClass::Check:
    case FailureClass::Render:
    case FailureClass::Config:
    case FailureClass::External: return {};
  }
  return {};
}

class Judge {
 public:
  Judge(const dag::Task& task, const run::TaskInstance& instance, const run::Attempt& attempt, const Observation& seen,
        run::RunState run_state, Instant now)
      : task_(task), instance_(instance), attempt_(attempt), seen_(seen), run_state_(run_state), now_(now) {
    event_.id = attempt.id;
    event_.exit_code = seen.exit_code;
    event_.at = seen.at;
    const bool ended_first =
        seen.exit_code && seen.failure == FailureClass::None && attempt.stop_at && seen.at < *attempt.stop_at;
    stop_cause_ = ended_first ? FailureClass::None : attempt.stop_cause;
    if (attempt.state == AttemptState::Stopping) stop_reason_ = attempt.reason;
  }

  run::AttemptEnded judge() && {
    if (stop_cause_ == FailureClass::External || seen_.failure == FailureClass::External) {
      cancelled();
    } else if (stop_cause_ != FailureClass::None) {
      failed(stop_cause_);
    } else if (seen_.failure != FailureClass::None) {
      failed(seen_.failure);
    } else if (seen_.exit_code == 0) {
      exited_well();
    } else if (!seen_.oom && contains(task_.exit_codes.skip, seen_.exit_code)) {
      skipped();
    } else {
      failed(seen_.oom ? FailureClass::Oom : FailureClass::User);
    }
    return std::move(event_);
  }

 private:
  void exited_well() {
    const Examined examined = examine_outputs(task_, seen_);
    if (!examined.problem.empty()) return failed(FailureClass::Check, examined.problem);
    event_.to = AttemptState::Succeeded;
    event_.task_to = TaskState::Success;
    event_.reason = examined.warnings;
    event_.outputs = seen_.outputs.is_null() ? Value(Value::Object{}) : seen_.outputs;
  }

  void skipped() {
    event_.to = AttemptState::Succeeded;
    event_.task_to = TaskState::Skipped;
    event_.reason = "exit code " + std::to_string(*seen_.exit_code) + " stands for skip";
  }

  void cancelled() {
    event_.to = AttemptState::Cancelled;
    event_.task_to = TaskState::Cancelled;
    event_.failure = FailureClass::External;
    const std::string told = stop_reason_.empty() ? "somebody asked to stop it" : stop_reason_;
    event_.reason = stop_cause_ == FailureClass::External ? told : own_words(seen_);
  }

  void failed(FailureClass failure) { failed(failure, reason_of(task_, attempt_, seen_, failure)); }

  void failed(FailureClass failure, std::string reason) {
    event_.to = AttemptState::Failed;
    event_.failure = failure;
    event_.reason = std::move(reason);
    event_.task_to = TaskState::Failed;
    // What may still start in a run that is being cancelled may be tried again, too.
    const bool cleans_up = run_state_ == run::RunState::Cancelling && task_.role != dag::TaskRole::Body;
    const bool goes_on = run_state_ == run::RunState::Running || run_state_ == run::RunState::Queued || cleans_up;
    const Retry retry = retry_of(task_, instance_, attempt_, failure, seen_, now_);
    if (!goes_on || !retry.allowed) return;
    event_.task_to = TaskState::UpForRetry;
    event_.infra_budget = retry.infra_budget;
    event_.memory_step = retry.memory_step;
    const double micros = static_cast<double>(retry.delay.count()) * jitter(event_.id);
    event_.retry_at = now_ + Duration(static_cast<std::int64_t>(micros));
  }

  const dag::Task& task_;
  const run::TaskInstance& instance_;
  const run::Attempt& attempt_;
  const Observation& seen_;
  run::RunState run_state_;
  Instant now_;
  FailureClass stop_cause_;
  std::string stop_reason_;
  run::AttemptEnded event_;
};

}  // namespace

run::AttemptEnded judge(const dag::Task& task, const run::TaskInstance& instance, const run::Attempt& attempt,
                        const Observation& seen, run::RunState run_state, Instant now) {
  return Judge(task, instance, attempt, seen, run_state, now).judge();
}

}  // namespace slipway::sched
