// The three state machines. Legal moves are rows of a table; every change of state goes through run::apply (run.h),
// which asserts that the move is a row.
#pragma once

#include <span>

#include "slipway/base/enum_table.h"

namespace slipway::run {

enum class AttemptState : unsigned char { Intent, Launched, Running, Stopping, Succeeded, Failed, Cancelled, Lost };
inline constexpr EnumTable<AttemptState, 8> kAttemptStates{{{
    {AttemptState::Intent, "intent", "committed; the executor may or may not have been asked yet"},
    {AttemptState::Launched, "launched", "the executor has taken it"},
    {AttemptState::Running, "running", "its process or pod runs"},
    {AttemptState::Stopping, "stopping", "a stop was committed; its end is awaited"},
    {AttemptState::Succeeded, "succeeded", "ended well"},
    {AttemptState::Failed, "failed", "ended badly; the class says how"},
    {AttemptState::Cancelled, "cancelled", "ended because somebody asked"},
    {AttemptState::Lost, "lost", "its end cannot be proved yet; it still holds its slot"},
}}};

enum class TaskState : unsigned char {
  None,
  Scheduled,
  Waiting,
  Queued,
  Active,
  UpForRetry,
  Stopping,
  Success,
  Failed,
  Skipped,
  UpstreamFailed,
  Removed,
  Cancelled,
};
inline constexpr EnumTable<TaskState, 13> kTaskStates{{{
    {TaskState::None, "none", "upstream tasks have not ended yet"},
    {TaskState::Scheduled, "scheduled", "its rule allows it; it waits for a slot"},
    {TaskState::Waiting, "waiting", "waits for time, a person or an outside condition; holds no slot"},
    {TaskState::Queued, "queued", "an attempt is committed and not yet running"},
    {TaskState::Active, "active", "an attempt runs"},
    {TaskState::UpForRetry, "up_for_retry", "failed; the next attempt is due at a known instant"},
    {TaskState::Stopping, "stopping", "its attempt was asked to stop"},
    {TaskState::Success, "success", "ended well"},
    {TaskState::Failed, "failed", "ended badly, budgets used up"},
    {TaskState::Skipped, "skipped", "its rule or its `when` decided against it"},
    {TaskState::UpstreamFailed, "upstream_failed", "could not run because of an upstream task"},
    {TaskState::Removed, "removed", "no longer part of the DAG version or the fan-out"},
    {TaskState::Cancelled, "cancelled", "somebody asked to stop it"},
}}};

enum class RunState : unsigned char { Queued, Running, Cancelling, Success, Failed, Cancelled };
inline constexpr EnumTable<RunState, 6> kRunStates{{{
    {RunState::Queued, "queued", "waits for an earlier run of the DAG"},
    {RunState::Running, "running", "its tasks are being run"},
    {RunState::Cancelling, "cancelling", "nothing new starts; active attempts are being stopped"},
    {RunState::Success, "success", "ended well"},
    {RunState::Failed, "failed", "ended badly; its failures list why"},
    {RunState::Cancelled, "cancelled", "somebody asked to stop it"},
}}};

// Why an attempt did not succeed; chooses the retry budget (docs/engine.md, "Retries").
enum class FailureClass : unsigned char {
  None,
  User,
  Timeout,
  Check,
  Render,
  Config,
  Oom,
  Storage,
  Launch,
  InfraNotStarted,
  InfraLost,
  External,
};
inline constexpr EnumTable<FailureClass, 12> kFailureClasses{{{
    {FailureClass::None, "", "did not fail"},
    {FailureClass::User, "user", "the command ended with a non-zero exit code or by a signal of its own"},
    {FailureClass::Timeout, "timeout", "it ran longer than its timeout"},
    {FailureClass::Check, "check", "it exited 0, but an output is missing or outside its check"},
    {FailureClass::Render, "render", "an expression of the task could not be evaluated"},
    {FailureClass::Config, "config", "a secret, folder or setting it needs does not exist"},
    {FailureClass::Oom, "oom", "it was killed for lack of memory"},
    {FailureClass::Storage, "storage", "it used more disk than it may"},
    {FailureClass::Launch, "launch", "it could not be started"},
    {FailureClass::InfraNotStarted, "infra_not_started", "the machine failed before it started"},
    {FailureClass::InfraLost, "infra_lost", "the machine failed while it ran"},
    {FailureClass::External, "external", "somebody removed it from outside"},
}}};

enum class TriggerKind : unsigned char { Manual, Schedule, Api, Dataset, Backfill, SubRun };
inline constexpr EnumTable<TriggerKind, 6> kTriggerKinds{{{
    {TriggerKind::Manual, "manual", "slipway run start"},
    {TriggerKind::Schedule, "schedule", "a tick of a schedule"},
    {TriggerKind::Api, "api", "an API client"},
    {TriggerKind::Dataset, "dataset", "an updated dataset"},
    {TriggerKind::Backfill, "backfill", "a backfill"},
    {TriggerKind::SubRun, "dag", "a task of another run"},
}}};
// Whether a run of this kind is the run of its tick, of which there is one.
[[nodiscard]] constexpr bool claims_tick(TriggerKind kind) {
  return kind == TriggerKind::Schedule || kind == TriggerKind::Backfill;
}

template <class State>
struct Step {
  State from, to;
};

// Every legal move within one generation. The next generation is opened by TaskReset (retry, clear; state None),
// TaskMarked and RunReversioned only; TaskExpanded opens that of the instances it finds again. RunReopened takes a
// terminal run to Queued, RunMarked gives it another end.
[[nodiscard]] std::span<const Step<AttemptState>> attempt_steps();
[[nodiscard]] std::span<const Step<TaskState>> task_steps();
[[nodiscard]] std::span<const Step<RunState>> run_steps();
[[nodiscard]] bool is_legal(AttemptState from, AttemptState to);
[[nodiscard]] bool is_legal(TaskState from, TaskState to);
[[nodiscard]] bool is_legal(RunState from, RunState to);

[[nodiscard]] bool is_terminal(AttemptState state);  // Succeeded, Failed, Cancelled; Lost may still settle
[[nodiscard]] bool is_terminal(TaskState state);
[[nodiscard]] bool is_terminal(RunState state);

}  // namespace slipway::run
