#include "slipway/run/state.h"

#include <algorithm>
#include <array>

namespace slipway::run {
namespace {

using A = AttemptState;
// A report may overtake the one before it (a short command ends before its start was seen), so every state before the
// end may be followed by the end. Lost may settle, or turn out to run after all.
constexpr Step<A> kAttemptSteps[] = {
    {A::Intent, A::Launched},    {A::Intent, A::Running},     {A::Intent, A::Stopping},    {A::Intent, A::Succeeded},
    {A::Intent, A::Failed},      {A::Intent, A::Cancelled},   {A::Intent, A::Lost},        {A::Launched, A::Running},
    {A::Launched, A::Stopping},  {A::Launched, A::Succeeded}, {A::Launched, A::Failed},    {A::Launched, A::Cancelled},
    {A::Launched, A::Lost},      {A::Running, A::Stopping},   {A::Running, A::Succeeded},  {A::Running, A::Failed},
    {A::Running, A::Cancelled},  {A::Running, A::Lost},       {A::Stopping, A::Succeeded}, {A::Stopping, A::Failed},
    {A::Stopping, A::Cancelled}, {A::Stopping, A::Lost},      {A::Lost, A::Running},       {A::Lost, A::Stopping},
    {A::Lost, A::Succeeded},     {A::Lost, A::Failed},        {A::Lost, A::Cancelled},
};

using T = TaskState;
constexpr Step<T> kTaskSteps[] = {
    // Decided before any attempt: by the rule, by `when`, by a cancel, or because there is nothing to launch.
    {T::None, T::Scheduled},
    {T::None, T::Waiting},
    {T::None, T::Success},
    {T::None, T::Failed},
    {T::None, T::Skipped},
    {T::None, T::UpstreamFailed},
    {T::None, T::Removed},
    {T::None, T::Cancelled},
    {T::Waiting, T::Scheduled},
    {T::Waiting, T::Success},
    {T::Waiting, T::Failed},
    {T::Waiting, T::Skipped},
    {T::Waiting, T::Cancelled},
    // Ready, until an attempt is opened or turns out not to be wanted or not to be renderable.
    {T::Scheduled, T::Queued},
    {T::Scheduled, T::Waiting},
    {T::Scheduled, T::Success},
    {T::Scheduled, T::Failed},
    {T::Scheduled, T::Skipped},
    {T::Scheduled, T::Cancelled},
    // An attempt is open.
    {T::Queued, T::Active},
    {T::Queued, T::Stopping},
    {T::Queued, T::UpForRetry},
    {T::Queued, T::Success},
    {T::Queued, T::Failed},
    {T::Queued, T::Skipped},
    {T::Queued, T::Cancelled},
    {T::Active, T::Stopping},
    {T::Active, T::UpForRetry},
    {T::Active, T::Success},
    {T::Active, T::Failed},
    {T::Active, T::Skipped},
    {T::Active, T::Cancelled},
    {T::Stopping, T::UpForRetry},
    {T::Stopping, T::Success},
    {T::Stopping, T::Failed},
    {T::Stopping, T::Skipped},
    {T::Stopping, T::Cancelled},
    // Between attempts.
    {T::UpForRetry, T::Scheduled},
    {T::UpForRetry, T::Cancelled},
};

using R = RunState;
constexpr Step<R> kRunSteps[] = {
    {R::Queued, R::Running},    {R::Queued, R::Cancelling},     {R::Running, R::Success},
    {R::Running, R::Failed},    {R::Running, R::Cancelling},    {R::Cancelling, R::Cancelled},
    {R::Cancelling, R::Failed}, {R::Cancelling, R::Cancelling},  // once more, now
};

template <class State>
bool contains(std::span<const Step<State>> steps, State from, State to) {
  return std::any_of(steps.begin(), steps.end(), [&](const auto& step) { return step.from == from && step.to == to; });
}

}  // namespace

std::span<const Step<AttemptState>> attempt_steps() { return kAttemptSteps; }
std::span<const Step<TaskState>> task_steps() { return kTaskSteps; }
std::span<const Step<RunState>> run_steps() { return kRunSteps; }

bool is_legal(AttemptState from, AttemptState to) { return contains(attempt_steps(), from, to); }
bool is_legal(TaskState from, TaskState to) { return contains(task_steps(), from, to); }
bool is_legal(RunState from, RunState to) { return contains(run_steps(), from, to); }

bool is_terminal(AttemptState state) {
  return state == AttemptState::Succeeded || state == AttemptState::Failed || state == AttemptState::Cancelled;
}

bool is_terminal(TaskState state) {
  return state == TaskState::Success || state == TaskState::Failed || state == TaskState::Skipped ||
         state == TaskState::UpstreamFailed || state == TaskState::Removed || state == TaskState::Cancelled;
}

bool is_terminal(RunState state) {
  return state == RunState::Success || state == RunState::Failed || state == RunState::Cancelled;
}

}  // namespace slipway::run
