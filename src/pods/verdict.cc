#include "pods/verdict.h"

#include <algorithm>

#include "slipway/base/value.h"

namespace slipway::pods {
namespace {

using run::FailureClass;

constexpr std::size_t kMessageMax = 4096;  // what a kubelet keeps of a termination message
constexpr int kKilled = 137;

// Classes that LaunchFailed may have; what else keeps a pod from running is the cluster's affair.
FailureClass before_start(FailureClass failure) {
  switch (failure) {
    case FailureClass::Launch:
    case FailureClass::Config:
    case FailureClass::InfraNotStarted:
    case FailureClass::External: return failure;
    case FailureClass::InfraLost:
    case FailureClass::Timeout: return FailureClass::InfraNotStarted;
    case FailureClass::None:
    case FailureClass::User:
    case FailureClass::Check:
    case FailureClass::Render:
    case FailureClass::Oom:
    case FailureClass::Storage: break;
  }
  return FailureClass::Launch;
}

// Somebody else's deletion is a loss where the task says so. Of what we asked to end the engine knows why.
FailureClass class_of(const Ending& ending, const kube::PodOutcome& outcome) {
  if (outcome.failure != FailureClass::External) return outcome.failure;
  if (ending.stopped) return outcome.started ? FailureClass::User : FailureClass::External;
  if (!ending.rules.retry_on_delete) return FailureClass::External;
  return outcome.started ? FailureClass::InfraLost : FailureClass::InfraNotStarted;
}

bool is_object(std::string_view text) {
  const auto parsed = parse_json(text, {.bytes_max = kMessageMax});
  return parsed && parsed->is_object();
}

exec::Exited exited(const Ending& ending, const kube::PodOutcome& outcome) {
  const kube::ContainerView& main = ending.pod.main;
  exec::Exited out;
  out.id = ending.id;
  const Instant start = started_at(ending.pod, ending.now);
  out.at = std::clamp(main.finished_at.value_or(ending.now), start, ending.now);
  out.exit_code = outcome.exit_code.value_or(kKilled);
  out.oom = outcome.failure == FailureClass::Oom;
  out.message = outcome.why;
  const bool whole = is_object(main.message);
  // On failure the kubelet may have put the log's last lines where the result would be.
  if (whole || out.exit_code == 0) out.output = main.message;
  out.output_too_large = !whole && out.exit_code == 0 && main.message.size() >= kMessageMax;
  const FailureClass failure = ending.given_up ? ending.given_up->failure : class_of(ending, outcome);
  if (failure == FailureClass::User) out.message.clear();  // the exit code says it
  if (failure != FailureClass::User && failure != FailureClass::Oom) out.failure = failure;
  if (ending.given_up) out.message = ending.given_up->why;
  return out;
}

}  // namespace

bool result_whole(const kube::PodView& pod, const PodRules& rules) {
  return rules.trust_exit_zero || is_object(pod.main.message);
}

Instant started_at(const kube::PodView& pod, Instant now) { return std::min(pod.main.started_at.value_or(now), now); }

exec::Report report_of(const Ending& ending, const kube::PodOutcome& outcome) {
  Ending as_is = ending;
  if (outcome.failure == FailureClass::None) as_is.given_up.reset();  // it ran to its end all the same
  const FailureClass failure = class_of(as_is, outcome);
  if (outcome.may_still_run && failure == FailureClass::InfraLost)
    return exec::Lost{ending.id, outcome.why + "; its process may still run", false};
  if (outcome.started || outcome.failure == FailureClass::None) return exited(as_is, outcome);
  if (as_is.given_up) return exec::LaunchFailed{ending.id, before_start(as_is.given_up->failure), as_is.given_up->why};
  return exec::LaunchFailed{ending.id, before_start(failure), outcome.why};
}

}  // namespace slipway::pods
