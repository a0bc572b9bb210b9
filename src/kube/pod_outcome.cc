#include "slipway/kube/pod_outcome.h"

#include <algorithm>
#include <array>

namespace slipway::kube {
namespace {

using run::FailureClass;

struct WaitRow {
  std::string_view reason;
  FailureClass failure;
  bool hopeless;
};
constexpr std::array<WaitRow, 10> kWaits{{
    {"ErrImagePull", FailureClass::Launch, false},
    {"ImagePullBackOff", FailureClass::Launch, false},
    {"ImageInspectError", FailureClass::Launch, false},
    {"RegistryUnavailable", FailureClass::Launch, false},
    {"SignatureValidationFailed", FailureClass::Launch, true},
    {"InvalidImageName", FailureClass::Launch, true},
    {"ErrImageNeverPull", FailureClass::Launch, true},
    {"CreateContainerConfigError", FailureClass::Config, true},
    {"CreateContainerError", FailureClass::Launch, true},
    {"RunContainerError", FailureClass::Launch, true},
}};

struct ReasonRow {
  std::string_view begin;  // of the pod's reason
  FailureClass started;    // the class if its main container had run
  FailureClass waiting;
};
// In this order: the first that fits.
constexpr std::array<ReasonRow, 11> kReasons{{
    {"DeadlineExceeded", FailureClass::Timeout, FailureClass::Timeout},
    {"Evicted", FailureClass::InfraLost, FailureClass::InfraNotStarted},
    {"Terminated", FailureClass::InfraLost, FailureClass::InfraNotStarted},
    {"Shutdown", FailureClass::InfraLost, FailureClass::InfraNotStarted},
    {"NodeShutdown", FailureClass::InfraLost, FailureClass::InfraNotStarted},
    {"NodeLost", FailureClass::InfraLost, FailureClass::InfraNotStarted},
    {"Preempt", FailureClass::InfraLost, FailureClass::InfraNotStarted},
    {"OutOf", FailureClass::InfraNotStarted, FailureClass::InfraNotStarted},
    {"NodeAffinity", FailureClass::InfraNotStarted, FailureClass::InfraNotStarted},
    {"UnexpectedAdmissionError", FailureClass::InfraNotStarted, FailureClass::InfraNotStarted},
    {"TopologyAffinityError", FailureClass::InfraNotStarted, FailureClass::InfraNotStarted},
}};

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

std::string clause(std::string_view head, std::string_view detail) {
  return std::string(head) + (detail.empty() ? "" : ": " + std::string(detail));
}

// The pod's own limit, not the node's need: asking for more helps, another node does not.
bool own_storage(const PodView& pod) {
  return pod.reason == "Evicted" && (contains(pod.message, "ephemeral local storage usage exceeds") ||
                                     contains(pod.message, "exceeded its local ephemeral storage limit") ||
                                     contains(pod.message, "Usage of EmptyDir volume"));
}

bool has_started(const ContainerView& main) {
  return main.running ||
         (main.terminated && main.started_at && main.reason != "StartError" && main.reason != "ContainerCannotRun");
}

PodOutcome ended(const PodView& pod, FailureClass failure, std::string why) {
  PodOutcome out;
  out.stage = PodStage::Ended;
  out.failure = failure;
  out.started = has_started(pod.main);
  if (pod.main.terminated) out.exit_code = pod.main.exit_code;
  // A status that the control plane made up is no proof: the node may be cut off and run on.
  const bool seen = pod.main.terminated && pod.main.reason != "ContainerStatusUnknown";
  const bool cut_off =
      pod.reason == "NodeLost" || pod.disruption == "DeletionByTaintManager" || pod.disruption == "DeletionByPodGC";
  out.may_still_run = out.started && !seen && cut_off;
  out.why = std::move(why);
  return out;
}

FailureClass infra(const PodView& pod) {
  return has_started(pod.main) ? FailureClass::InfraLost : FailureClass::InfraNotStarted;
}

// Both in whole seconds, as Kubernetes writes them.
bool not_later(const std::optional<Instant>& at, const std::optional<Instant>& than) {
  return at && (!than || *at <= *than);
}

// Whether its end had been ordered when it ended.
bool was_disturbed(const PodView& pod) {
  const bool disrupted = !pod.disruption.empty() && not_later(pod.disrupted_at, pod.main.finished_at);
  return disrupted || not_later(pod.deleted_at, pod.main.finished_at) || !pod.reason.empty();
}

std::optional<PodOutcome> judge_reason(const PodView& pod) {
  const auto row = std::find_if(kReasons.begin(), kReasons.end(),
                                [&](const ReasonRow& r) { return pod.reason.rfind(r.begin, 0) == 0; });
  if (row == kReasons.end()) return std::nullopt;
  return ended(pod, has_started(pod.main) ? row->started : row->waiting, clause(pod.reason, pod.message));
}

PodOutcome judge_main(const PodView& pod) {
  const ContainerView& main = pod.main;
  const std::string code = "exit code " + std::to_string(main.exit_code);
  if (main.reason == "OOMKilled") return ended(pod, FailureClass::Oom, "killed for lack of memory");
  if (main.reason == "StartError" || main.reason == "ContainerCannotRun")
    return ended(pod, FailureClass::Launch, clause("the container could not be started", main.message));
  if (main.reason == "ContainerStatusUnknown")
    return ended(pod, FailureClass::InfraLost, "the node cannot tell how it ended");
  if (pod.deleted_at && not_later(pod.deleted_at, main.finished_at))
    return ended(pod, FailureClass::External, "the pod was deleted by somebody else, and ended with " + code);
  return ended(pod, FailureClass::User, code);
}

PodOutcome judge_init(const PodView& pod) {
  const std::string what = "init container `" + pod.failed_init + "`";
  if (pod.init.reason == "OOMKilled") return ended(pod, FailureClass::Oom, what + " was killed for lack of memory");
  return ended(pod, FailureClass::Launch, what + " ended with exit code " + std::to_string(pod.init.exit_code));
}

PodOutcome judge_end(const PodView& pod, bool result_whole) {
  const bool zero = pod.main.terminated && pod.main.exit_code == 0;
  if (zero && (result_whole || !was_disturbed(pod))) return ended(pod, FailureClass::None, "");
  if (own_storage(pod)) return ended(pod, FailureClass::Storage, pod.message);
  if (!pod.disruption.empty()) return ended(pod, infra(pod), clause(pod.disruption, pod.message));
  if (const auto known = judge_reason(pod)) return *known;
  if (zero) return ended(pod, FailureClass::InfraLost, "exit code 0 while it was being ended, without a whole result");
  if (pod.main.terminated) return judge_main(pod);
  if (!pod.failed_init.empty()) return judge_init(pod);
  return ended(pod, infra(pod),
               clause(pod.reason.empty() ? "the pod failed without a reason" : pod.reason, pod.message));
}

PodOutcome judge_waiting(const PodView& pod) {
  PodOutcome out;
  for (const ContainerView* container : {&pod.main, &pod.init})
    for (const WaitRow& row : kWaits)
      if (row.reason == container->waiting) {
        out.failure = row.failure;
        out.hopeless = row.hopeless;
        out.why = clause(container->waiting, container->message);
        return out;
      }
  out.failure = FailureClass::InfraNotStarted;
  if (!pod.unschedulable.empty()) out.why = clause("no node for it", pod.unschedulable);
  return out;
}

}  // namespace

PodOutcome judge(const PodView& pod, bool result_whole) {
  // The main container decides; sidecars may live on.
  const bool over = pod.main.terminated || pod.phase == "Failed" || pod.phase == "Succeeded";
  if (over && pod.phase == "Succeeded" && !pod.main.terminated)
    return ended(pod, FailureClass::InfraLost, "the pod succeeded, and nothing is known of its main container");
  if (over) return judge_end(pod, result_whole);
  if (!pod.failed_init.empty()) return judge_init(pod);
  if (!pod.main.running) return judge_waiting(pod);
  PodOutcome out;
  out.stage = PodStage::Running;
  out.started = true;
  if (!pod.disruption.empty()) out.why = clause("it is being ended", pod.disruption);
  return out;
}

PodOutcome judge_gone(const PodView& last, bool result_whole, bool stopped) {
  PodOutcome seen = judge(last, result_whole);
  if (seen.stage == PodStage::Ended) return seen;
  if (stopped) return ended(last, FailureClass::External, "stopped; the pod is gone");
  if (!last.disruption.empty()) return ended(last, infra(last), clause("the pod is gone", last.disruption));
  PodOutcome out = ended(last, FailureClass::External, "the pod was deleted by somebody else");
  out.may_still_run = out.started && !last.deleted_at;  // deleted by force, perhaps: nobody waited for its process
  return out;
}

}  // namespace slipway::kube
