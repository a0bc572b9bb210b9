// What is seen of pods, and what follows from it.
#include <algorithm>

#include "pods/executor.h"
#include "slipway/kube/rollout.h"

namespace slipway::pods {
namespace {

using run::FailureClass;

void keep(const Value& from, Value& into, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names)
    if (const Value* found = from.find(name)) into[name] = *found;
}

Value kept_of_list(const Value* list, std::initializer_list<std::string_view> names) {
  Value::Array out;
  if (list != nullptr && list->is_array())
    for (const Value& one : list->as_array()) {
      Value kept(Value::Object{});
      keep(one, kept, names);
      out.push_back(std::move(kept));
    }
  return out;
}

Value kept_metadata(const Value& metadata) {
  Value out(Value::Object{});
  keep(metadata, out,
       {"name", "namespace", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp",
        "deletionGracePeriodSeconds"});
  Value ours(Value::Object{});
  if (const Value* all = metadata.find("annotations"); all != nullptr && all->is_object())
    for (const auto& [name, value] : all->as_object())
      if (name.starts_with(kube::kPodPrefix)) ours[name] = value;
  out["annotations"] = std::move(ours);
  return out;
}

Instant creation_of(const Value& pod, Instant now) {
  const Value* metadata = pod.find("metadata");
  const auto at = parse_rfc3339(metadata == nullptr ? "" : metadata->get_string("creationTimestamp"));
  return at ? std::min(*at, now) : now;
}

// A container of ours starts once and ends once.
int progress(const kube::ContainerView& main) { return main.terminated ? 2 : main.running ? 1 : 0; }

// What the cluster has not said in as many words.
std::string waiting_words(const kube::PodView& pod, const kube::PodOutcome& outcome, const std::string& event) {
  if (!outcome.why.empty()) return outcome.why;
  if (!event.empty()) return event;
  if (!pod.init.waiting.empty() || !pod.main.waiting.empty())
    return "its pod waits: " + (pod.main.waiting.empty() ? pod.init.waiting : pod.main.waiting) +
           (pod.main.message.empty() ? "" : ": " + pod.main.message);
  return pod.node.empty() ? "its pod has no node yet" : "its pod is about to start on node " + pod.node;
}

}  // namespace

Value projected(Value pod) {
  Value out(Value::Object{});
  if (const Value* metadata = pod.find("metadata")) out["metadata"] = kept_metadata(*metadata);
  if (const Value* spec = pod.find("spec")) {
    keep(*spec, out["spec"], {"nodeName"});
    out["spec"]["initContainers"] = kept_of_list(spec->find("initContainers"), {"name", "restartPolicy"});
  }
  if (const Value* status = pod.find("status")) {
    keep(*status, out["status"], {"phase", "reason", "message", "conditions"});
    for (const char* list : {"containerStatuses", "initContainerStatuses"})
      out["status"][list] = kept_of_list(status->find(list), {"name", "state"});
  }
  return out;
}

std::string annotation_of(const Value& pod, std::string_view name) {
  return kube::annotation_of(pod, std::string(kube::kPodPrefix) + std::string(name));
}

std::optional<AttemptId> attempt_of(const Value& pod) { return AttemptId::parse(annotation_of(pod, "attempt")); }

void PodExecutor::on_change(const kube::Change& change) {
  const auto id = attempt_of(change.object);
  if (!id || annotation_of(change.object, "instance") != options_.defaults.instance) return;
  Tracked* const tracked = find(*id);
  const kube::PodView pod = kube::view_of(change.object);
  const bool removed = change.kind == kube::ChangeKind::Removed;
  if (tracked == nullptr) {
    if (!removed) return appeared(*id, change.object);
    const auto known = unclaimed_.find(*id);
    if (known != unclaimed_.end() && kube::view_of(known->second.pod).uid == pod.uid) unclaimed_.erase(known);
    return;
  }
  if (!tracked->uid.empty() && tracked->uid != pod.uid) return;
  tracked->mirrored = true;
  if (tracked->uid.empty() || tracked->adopted)
    claim(*tracked, change.object);
  else if (!tracked->over)
    see(*tracked, pod);
  if (Tracked* const still = find(*id); removed && still != nullptr) gone(*still);
}

// A pod of ours that was not asked for: of an earlier daemon, or of a create that was given up.
void PodExecutor::appeared(const AttemptId& id, const Value& pod) {
  if (disowned_.count(id) == 0) {
    const auto known = unclaimed_.find(id);
    const MonoInstant since = known == unclaimed_.end() ? clock_.monotonic() : known->second.since;
    unclaimed_[id] = {pod, since, known != unclaimed_.end() && known->second.told};
    if (!sweep_at_) sweep_at_ = clock_.monotonic() + options_.leftover_grace;
    return;
  }
  Tracked& tracked = tracking_[id];
  tracked.id = id;
  tracked.over = tracked.committed = tracked.launched = true;
  tracked.mirrored = true;
  tracked.log_stage = Tracked::LogStage::Done;
  claim(tracked, pod);
  clear_away(tracked);
}

void PodExecutor::on_synced(const std::string& namespace_name) {
  if (synced_.insert(namespace_name).second) log_.info("pods are watched", {{"namespace", namespace_name}});
  settle_unlisted(namespace_name);
}

// The list was complete: what it did not show is asked for once more, by name, and then it is settled. Of a pod that
// came and went while nothing was watched no event ever tells.
void PodExecutor::settle_unlisted(const std::string& namespace_name) {
  std::vector<AttemptId> nameless;
  for (auto& [id, tracked] : tracking_) {
    const bool unlisted = tracked.adopted || (!tracked.uid.empty() && !tracked.mirrored && !tracked.gone);
    if (!unlisted || tracked.asked) continue;
    if (tracked.name.empty())
      nameless.push_back(id);
    else if (tracked.namespace_name == namespace_name || mirrors_.count(tracked.namespace_name) == 0)
      look(tracked);
  }
  if (synced_.size() < mirrors_.size()) return;
  for (const AttemptId& id : nameless) {
    disowned_.insert(id);  // a create of the earlier daemon may still be on its way
    erase(id);
    sink_.on_report(exec::Lost{id, "it has no pod", true});
  }
}

// Its pod was seen before it was asked for.
bool PodExecutor::claim_known(Tracked& tracked) {
  auto known = unclaimed_.extract(tracked.id);
  if (known.empty()) return false;
  tracked.mirrored = true;
  claim(tracked, known.mapped().pod);
  return true;
}

// It is ours, and it is there.
void PodExecutor::claim(Tracked& tracked, const Value& pod) {
  const Value* metadata = pod.find("metadata");
  const kube::PodView view = kube::view_of(pod);
  if (metadata == nullptr || view.uid.empty()) return;
  tracked.namespace_name = metadata->get_string("namespace");
  tracked.name = view.name;
  tracked.uid = view.uid;
  tracked.exists = true;
  tracked.adopted = tracked.asked = tracked.maybe = false;
  tracked.manifest = Value();
  tracked.rules = PodRules::parse(annotation_of(pod, "rules"));
  tracked.created_at = creation_of(pod, clock_.now());
  tracked.backoff = Duration(0);
  tell(tracked, "");
  if (!tracked.launched) {
    tracked.launched = true;
    sink_.on_report(exec::Launched{tracked.id, tracked.identity()});
  }
  if (tracked.stop) send_delete(tracked);
  see(tracked, view);
}

// An answer may be ahead of the watch, and the status of an evicted pod may know nothing of its containers: that one
// has started or ended is not taken back.
void PodExecutor::see(Tracked& tracked, kube::PodView pod) {
  if (tracked.pod.uid == pod.uid && progress(pod.main) < progress(tracked.pod.main)) pod.main = tracked.pod.main;
  tracked.pod = std::move(pod);
  if (tracked.over) return;
  const kube::PodOutcome outcome = kube::judge(tracked.pod, result_whole(tracked.pod, tracked.rules));
  if (outcome.stage == kube::PodStage::Ended) return end(tracked, outcome);
  if (outcome.stage == kube::PodStage::Waiting) return wait_for(tracked, outcome);
  announce_running(tracked);
  want_log(tracked);
  tell(tracked, outcome.why);
  judge_lost(tracked);
}

void PodExecutor::announce_running(Tracked& tracked) {
  if (tracked.running) return;
  tracked.running = true;
  sink_.on_report(exec::Running{tracked.id, tracked.identity(), started_at(tracked.pod, clock_.now())});
}

// A pull may fail for a while, a node may come: each has its time.
void PodExecutor::wait_for(Tracked& tracked, const kube::PodOutcome& outcome) {
  tell(tracked, tracked.given_up ? tracked.given_up->why + "; its pod is being deleted"
                                 : waiting_words(tracked.pod, outcome, tracked.event));
  if (tracked.stop || tracked.given_up) return;
  want_events();
  if (outcome.hopeless) return give_up(tracked, outcome.failure, outcome.why);
  const Instant now = clock_.now();
  const bool trouble = outcome.failure == FailureClass::Launch;
  if (!trouble) tracked.trouble_since.reset();
  if (trouble && !tracked.trouble_since) tracked.trouble_since = now;
  if (trouble && now - *tracked.trouble_since >= options_.image_grace)
    return give_up(tracked, outcome.failure, outcome.why);
  if (trouble) wake_at(tracked, options_.image_grace - (now - *tracked.trouble_since));
  const Duration waited = now - tracked.created_at;
  if (waited >= tracked.rules.start_timeout)
    return give_up(tracked, FailureClass::InfraNotStarted,
                   "did not start within " + to_text(tracked.rules.start_timeout) + ": " +
                       waiting_words(tracked.pod, outcome, tracked.event));
  wake_at(tracked, tracked.rules.start_timeout - waited);
}

void PodExecutor::give_up(Tracked& tracked, FailureClass failure, const std::string& why) {
  tracked.given_up = GivenUp{failure, why};
  tell(tracked, why + "; its pod is being deleted");
  send_delete(tracked);
}

// Its node is out of reach: the order to end it stands, and nobody has confirmed it.
void PodExecutor::judge_lost(Tracked& tracked) {
  if (tracked.lost || tracked.pod.disruption != "DeletionByTaintManager" || !tracked.pod.end_due_at) return;
  const Duration over_due = clock_.now() - (*tracked.pod.end_due_at + options_.lost_grace);
  if (over_due < Duration(0)) return wake_at(tracked, -over_due);
  tracked.lost = true;
  sink_.on_report(
      exec::Lost{tracked.id, "node " + tracked.pod.node + " is out of reach; the process may still run there", false});
}

// The server has it no more. What the mirror has shown it also shows the end of, which says more than an absence.
void PodExecutor::missing(Tracked& tracked) {
  if (tracked.adopted || !tracked.mirrored) gone(tracked);
}

// The object is gone. Of one that was never seen nobody knows how it ended.
void PodExecutor::gone(Tracked& tracked) {
  tracked.gone = true;
  if (tracked.over) return clear_away(tracked);
  const bool unseen = tracked.pod.uid.empty();
  kube::PodOutcome outcome = kube::judge_gone(tracked.pod, result_whole(tracked.pod, tracked.rules),
                                              tracked.stop || tracked.given_up.has_value());
  if (unseen && !tracked.stop) outcome.why = "its pod is gone, and nobody saw how it ended";
  tracked.adopted = false;
  end(tracked, outcome);
}

void PodExecutor::end(Tracked& tracked, const kube::PodOutcome& outcome) {
  if (tracked.over) return;
  const exec::Report report =
      report_of({tracked.id, tracked.pod, tracked.rules, tracked.stop, tracked.given_up, clock_.now()}, outcome);
  if (std::holds_alternative<exec::Lost>(report)) {
    if (!std::exchange(tracked.lost, true)) sink_.on_report(report);
    return;
  }
  if (std::holds_alternative<exec::Exited>(report)) {
    announce_running(tracked);
    want_log(tracked);
  } else if (tracked.log_stage == Tracked::LogStage::None) {
    tracked.log_stage = Tracked::LogStage::Done;
  }
  tracked.over = true;
  tell(tracked, "");
  sink_.on_report(report);
  wake_at(tracked, options_.drain_longest);
  tracked.drain_until = clock_.monotonic() + options_.drain_longest;
  const AttemptId id = tracked.id;
  take_lines(id);  // a stream that has ended waited for this
  if (Tracked* const still = find(id); still != nullptr) clear_away(*still);
}

void PodExecutor::send_delete(Tracked& tracked) {
  if (tracked.deleting || tracked.uid.empty() || tracked.gone) return;
  tracked.deleting = true;
  kube::DeleteOptions options;
  options.uid = tracked.uid;
  // Never 0, which would prove nothing about its process.
  if (tracked.stop_now) options.grace = std::chrono::seconds(1);
  client_->call(kube::delete_call(tracked.path(), options), [this, id = tracked.id](const kube::Answer& answer) {
    inbox_->post([this, id, answer] { on_deleted(id, answer); });
  });
}

// What becomes of it then is seen; what could not be asked for is asked for again.
void PodExecutor::on_deleted(const AttemptId& id, const kube::Answer& answer) {
  Tracked* const tracked = find(id);
  if (tracked == nullptr) return;
  if (answer) return;
  const kube::FailureKind kind = answer.failure->kind;
  if (kind == kube::FailureKind::NotFound || kind == kube::FailureKind::Conflict) return missing(*tracked);
  tracked->deleting = false;
  log_.warn("a pod could not be deleted yet", {{"pod", tracked->name}, {"error", answer.failure->message}});
  wake_at(*tracked, next_backoff(*tracked, options_.retry_first));
}

}  // namespace slipway::pods
