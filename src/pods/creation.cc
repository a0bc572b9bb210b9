// From an attempt to its one pod: created, found again, or surely not there.
#include "pods/executor.h"

namespace slipway::pods {

using run::FailureClass;

namespace {

// A server that is just starting may know no roles yet, so a missing right is worth the launches of a few minutes; what
// admission or a policy says is not.
bool lacks_right(const kube::Failure& failure) {
  return failure.message.find(" cannot create resource ") != std::string::npos;
}

}  // namespace

void PodExecutor::create(Tracked& tracked) {
  if (tracked.asked) return;
  tracked.asked = true;
  client_->call(kube::create_call({kube::kPods, tracked.namespace_name, ""}, tracked.manifest),
                [this, id = tracked.id](const kube::Answer& answer) {
                  inbox_->post([this, id, answer] { on_created(id, answer); });
                });
}

void PodExecutor::on_created(const AttemptId& id, const kube::Answer& answer) {
  Tracked* const tracked = find(id);
  if (tracked == nullptr || !tracked->asked) return;
  tracked->asked = false;
  if (answer) return claim(*tracked, answer.object);
  if (tracked->uid.empty()) refused(*tracked, *answer.failure);  // else the mirror was faster than the answer
}

// Admission comes before the name is looked at: a create that may have been done can also be refused for the quota that
// its own pod uses. So whatever is said then, the name is asked for first.
void PodExecutor::refused(Tracked& tracked, const kube::Failure& failure) {
  tracked.maybe = tracked.maybe || failure.maybe_done;
  const std::string why = failure.to_error("its pod was not created").message;
  switch (failure.kind) {
    case kube::FailureKind::AlreadyExists: tracked.maybe = true; return look(tracked);
    case kube::FailureKind::QuotaExceeded:
      if (tracked.maybe) return look(tracked);
      return try_again(tracked, options_.quota_first, "waits for quota: " + failure.message);
    case kube::FailureKind::Forbidden:
      if (tracked.maybe) return look(tracked);
      return fail_launch(tracked, lacks_right(failure) ? FailureClass::Launch : FailureClass::Config, why);
    case kube::FailureKind::NotFound:
    case kube::FailureKind::Invalid:
    case kube::FailureKind::TooLarge:
    case kube::FailureKind::Misconfigured:
      if (tracked.maybe) return look(tracked);
      return fail_launch(tracked, FailureClass::Config, why);
    case kube::FailureKind::Interrupted:
    case kube::FailureKind::Overloaded: tracked.maybe = true; break;
    case kube::FailureKind::Unreachable:
    case kube::FailureKind::Unauthorized:
    case kube::FailureKind::Conflict:
    case kube::FailureKind::Expired:
    case kube::FailureKind::TooManyRequests:
    case kube::FailureKind::Unexpected: break;
  }
  log_.warn("a pod could not be created yet", {{"attempt", tracked.id.str()}, {"error", failure.message}});
  try_again(tracked, options_.retry_first, why);
}

void PodExecutor::try_again(Tracked& tracked, Duration first, const std::string& why) {
  if (tracked.stop && !tracked.maybe && !tracked.exists && !tracked.adopted)
    return fail_launch(tracked, FailureClass::External, "it was stopped before it started");
  tell(tracked, why);
  wake_at(tracked, next_backoff(tracked, first));
}

void PodExecutor::look(Tracked& tracked) {
  if (tracked.asked) return;
  tracked.asked = true;
  client_->call(kube::get_call(tracked.path()), [this, id = tracked.id](const kube::Answer& answer) {
    inbox_->post([this, id, answer] { on_looked(id, answer); });
  });
}

void PodExecutor::on_looked(const AttemptId& id, const kube::Answer& answer) {
  Tracked* const tracked = find(id);
  if (tracked == nullptr || !tracked->asked) return;
  tracked->asked = false;
  if (!answer && answer.failure->kind == kube::FailureKind::NotFound) return absent(*tracked);
  if (!answer)
    return try_again(*tracked, options_.retry_first, answer.failure->to_error("its pod was not found").message);
  const bool ours =
      attempt_of(answer.object) == id && annotation_of(answer.object, "instance") == options_.defaults.instance;
  const std::string uid = kube::view_of(answer.object).uid;
  if (ours && (tracked->uid.empty() || tracked->uid == uid)) return claim(*tracked, answer.object);
  if (!tracked->uid.empty()) return gone(*tracked);
  tracked->maybe = false;
  fail_launch(*tracked, FailureClass::Config,
              "pod " + tracked->namespace_name + "/" + tracked->name + " exists already, and is somebody else's");
}

// The server knows no such pod.
void PodExecutor::absent(Tracked& tracked) {
  if (tracked.exists || tracked.adopted) return missing(tracked);
  if (tracked.stop)  // a create may still be on its way: should its pod come, it goes again
    return fail_launch(tracked, FailureClass::External, "it was stopped before it started");
  tracked.maybe = false;
  try_again(tracked, options_.retry_first, "its pod is about to be created");
}

}  // namespace slipway::pods
