// What a pod's status means for the attempt that it is; pure. Kubernetes tells one end in many ways: what disturbed the
// pod is asked first, what its containers say second.
#pragma once

#include <optional>
#include <string>

#include "slipway/base/enum_table.h"
#include "slipway/base/time.h"
#include "slipway/base/value.h"
#include "slipway/run/state.h"

namespace slipway::kube {

// The last state of a container, or why it waits.
struct ContainerView {
  std::string waiting;  // "ImagePullBackOff"; empty: it does not wait
  bool running = false;
  bool terminated = false;
  int exit_code = 0;    // of a terminated one
  std::string reason;   // "OOMKilled", "Error", "ContainerStatusUnknown"
  std::string message;  // of a waiting one the trouble, of a terminated one what it left: at most 4 KiB
  std::optional<Instant> started_at;
  std::optional<Instant> finished_at;
};

// What is kept of a pod: about 1 KB.
struct PodView {
  std::string name;
  std::string uid;
  std::string phase;  // Pending, Running, Succeeded, Failed
  std::string reason;
  std::string message;
  std::string node;
  std::optional<Instant> deleted_at;  // when its end was ordered, by anyone
  std::optional<Instant> end_due_at;  // deletionTimestamp: by when it is to be gone, that and its grace
  std::string disruption;             // reason of the condition DisruptionTarget; empty: none
  std::optional<Instant> disrupted_at;
  std::string unschedulable;  // message of the condition PodScheduled where it is False
  ContainerView main;         // by its name: injected ones may stand before it
  std::string failed_init;    // name of an init container that failed; sidecars do not count
  ContainerView init;         // that one, or the one that waits
};
[[nodiscard]] PodView view_of(const Value& pod, std::string_view main_container = "main");

enum class PodStage : unsigned char { Waiting, Running, Ended };
inline constexpr EnumTable<PodStage, 3> kPodStages{{{
    {PodStage::Waiting, "waiting", "its main container has not run yet"},
    {PodStage::Running, "running", "its main container runs, as far as is known"},
    {PodStage::Ended, "ended", "nothing more will happen to the attempt"},
}}};

struct PodOutcome {
  PodStage stage = PodStage::Waiting;
  // Ended: None is success. Waiting: what it fails with if this does not pass in time.
  run::FailureClass failure = run::FailureClass::None;
  bool hopeless = false;       // Waiting: this never passes by itself
  bool started = false;        // the main container has run, at least for a moment
  bool may_still_run = false;  // Ended, but nobody has seen its process end
  std::optional<int> exit_code;
  std::string why;  // one clause for people; empty: nothing to say

  bool operator==(const PodOutcome&) const = default;
};

// `result_whole`: the main container left a complete result. Exit 0 of a pod that was being ended counts only with it,
// since a program that traps TERM may also end with 0.
[[nodiscard]] PodOutcome judge(const PodView& pod, bool result_whole);
// The pod is gone; `last` is what was seen of it, `stopped` that we ordered its end.
[[nodiscard]] PodOutcome judge_gone(const PodView& last, bool result_whole, bool stopped);

}  // namespace slipway::kube
