// Time-outs, delays and `lost_after` count elapsed time, and are kept as instants of the wall clock. When somebody sets
// that clock, the instants of what is under way move along with it: at once while the daemon runs, at its next start by
// what the last commit tells about the clocks of then.
#include "engine/core.h"

namespace slipway::engine {
namespace {

constexpr Duration kInfraDelayMax = std::chrono::minutes(10);  // of the table of retries
constexpr Duration kClockStep = std::chrono::seconds(2);       // below it, clocks are being disciplined, not set

std::string signed_text(Duration by) { return (by < Duration(0) ? "-" : "") + to_text(std::chrono::abs(by)); }

// How far into the future some instant of the run lies beyond what its rules allow, now.
Duration beyond(const run::ActiveRun& run, Instant now) {
  Duration most{0};
  if (run.dag->timeout != Duration(0) && run.state.started_at) most = std::max(most, *run.state.started_at - now);
  for (const AttemptId& id : run.open_attempts) {
    const run::Attempt& attempt = run.state.attempts.at(id);
    if (attempt.deadline) most = std::max(most, *attempt.deadline - now - run.task(id.key.task)->timeout);
    if (attempt.ended_at) most = std::max(most, *attempt.ended_at - now);
  }
  for (const auto& [due, keys] : run.retry_due)
    for (const TaskKey& key : keys)
      most = std::max(most, due - now - std::max(kInfraDelayMax, run.task(key.task)->retry.max_delay));
  return most;
}

}  // namespace

void Core::follow_clock() {
  const Duration offset = now_.time_since_epoch() - clock_.monotonic().time_since_epoch();
  const Duration step = wall_offset_ ? offset - *wall_offset_ : Duration(0);
  wall_offset_ = offset;
  if (std::chrono::abs(step) < kClockStep) return;
  log_.warn("the wall clock was set", {{"by", signed_text(step)}});
  run::shift_shares(snapshot_, step);
  for (const auto& [id, run] : snapshot_.runs) move_clock(id, step);
}

// In the same boot the two clocks tell how far the wall clock was set while nobody looked. After another, only the wall
// clock is left: it is believed as far as what remains of a time-out or delay cannot have grown.
void Core::follow_stored_clock(const std::optional<store::ClockAnchor>& stored) {
  if (!stored) return;
  anchor_ = *stored;
  if (stored->boot == boot_) {
    const Duration step = *wall_offset_ - stored->wall_offset;
    if (std::chrono::abs(step) < kClockStep) return;
    log_.warn("the wall clock was set while the daemon was down", {{"by", signed_text(step)}});
    for (const auto& [id, run] : snapshot_.runs) move_clock(id, step);
    return;
  }
  for (const auto& [id, run] : snapshot_.runs)
    if (const Duration by = beyond(run, now_); by >= kClockStep) move_clock(id, -by);
}

void Core::move_clock(const RunId& id, Duration by) {
  if (!run::is_terminal(snapshot_.runs.at(id).state.state)) emit(id, run::ClockMoved{by});
}

}  // namespace slipway::engine
