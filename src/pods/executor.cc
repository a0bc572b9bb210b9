#include "pods/executor.h"

#include <algorithm>

namespace slipway::pods {
namespace {

// "namespace/name/uid"; empty parts where it is something else.
struct Identity {
  std::string namespace_name, name, uid;
};
Identity parse_identity(const std::string& text) {
  const auto first = text.find('/');
  const auto second = first == std::string::npos ? first : text.find('/', first + 1);
  if (second == std::string::npos) return {};
  return {text.substr(0, first), text.substr(first + 1, second - first - 1), text.substr(second + 1)};
}

}  // namespace

PodExecutor::PodExecutor(std::unique_ptr<kube::Client> client, PodOptions options, exec::ReportSink& sink,
                         const Clock& clock, Logger log)
    : options_(std::move(options)),
      sink_(sink),
      clock_(clock),
      log_(std::move(log)),
      rng_(options_.seed),
      client_(std::move(client)) {
  start_mirrors();
  thread_ = std::thread([this] { loop(); });
}

PodExecutor::~PodExecutor() {
  inbox_->stop();
  thread_.join();
  mirrors_.clear();
  tracking_.clear();  // ends the followers, which need the client
  client_.reset();
}

// --- any thread

void PodExecutor::launch(exec::LaunchSpec spec) {
  inbox_->post([this, spec = std::move(spec)]() mutable { take_launch(std::move(spec)); });
}
void PodExecutor::stop(const AttemptId& id, bool now) {
  inbox_->post([this, id, now] { take_stop(id, now); });
}
void PodExecutor::adopt(const std::vector<exec::OpenAttempt>& attempts) {
  inbox_->post([this, attempts] {
    for (const exec::OpenAttempt& open : attempts) take_adoption(open);
    for (const std::string& name : synced_) settle_unlisted(name);
  });
}
void PodExecutor::forget(const AttemptId& id) {
  inbox_->post([this, id] { take_forget(id); });
}
std::string PodExecutor::note(const AttemptId& id) const {
  const std::lock_guard lock(notes_mutex_);
  const auto found = notes_.find(id);
  return found == notes_.end() ? std::string() : found->second;
}

// --- our thread

void PodExecutor::loop() {
  while (true) {
    const auto work = inbox_->take(next_due());
    if (!work) return;
    for (const Inbox::Work& each : *work) each();
    run_due();
  }
}

std::optional<Duration> PodExecutor::next_due() const {
  std::optional<MonoInstant> next = sweep_at_;
  if (events_at_ && (!next || *events_at_ < *next)) next = events_at_;
  if (!due_.empty() && (!next || due_.begin()->first < *next)) next = due_.begin()->first;
  return next ? std::optional<Duration>(*next - clock_.monotonic()) : std::nullopt;
}

// The earlier of what was planned and this.
void PodExecutor::wake_at(Tracked& tracked, Duration delay) {
  const MonoInstant at = clock_.monotonic() + delay;
  if (tracked.due && *tracked.due <= at) return;
  if (tracked.due) due_.erase({*tracked.due, tracked.id});
  tracked.due = at;
  due_.insert({at, tracked.id});
}

void PodExecutor::run_due() {
  const MonoInstant now = clock_.monotonic();
  while (!due_.empty() && due_.begin()->first <= now) {
    const AttemptId id = due_.begin()->second;
    due_.erase(due_.begin());
    Tracked& tracked = tracking_.at(id);
    tracked.due.reset();
    tend(tracked);
  }
  if (sweep_at_ && *sweep_at_ <= now) sweep_leftovers();
  if (events_at_ && *events_at_ <= now) ask_events();
}

// Its time has come: whatever it waits for is looked at again.
void PodExecutor::tend(Tracked& tracked) {
  if (tracked.over) return clear_away(tracked);
  if (tracked.adopted) return tracked.name.empty() ? void() : look(tracked);
  if (tracked.uid.empty()) {
    const bool settle = tracked.maybe || tracked.exists || tracked.manifest.is_null();
    return settle ? look(tracked) : create(tracked);
  }
  if (tracked.stop || tracked.given_up) send_delete(tracked);
  if (!tracked.mirrored && synced_.count(tracked.namespace_name) > 0) look(tracked);
  see(tracked, tracked.pod);
}

void PodExecutor::start_mirrors() {
  for (const std::string& name : options_.defaults.all_namespaces()) {
    check_rights(name);
    kube::ReflectorOptions mirror = options_.mirror;
    mirror.collection = {kube::kPods, name, ""};
    mirror.label_selector = std::string(kube::kPodPrefix) + "instance=" + options_.defaults.instance;
    mirror.project = projected;
    kube::ReflectorCallbacks callbacks;
    callbacks.on_change = [this, box = inbox_](const kube::Change& change) {
      box->post([this, change] { on_change(change); });
    };
    callbacks.on_synced = [this, box = inbox_, name] { box->post([this, name] { on_synced(name); }); };
    callbacks.on_failure = [this, name](const kube::Failure& failure) {
      log_.warn("pods cannot be watched at present", {{"namespace", name}, {"error", failure.message}});
    };
    mirrors_[name] =
        std::make_unique<kube::Reflector>(*client_, clock_, std::move(mirror), std::move(callbacks), rng_.next(), log_);
  }
}

void PodExecutor::take_launch(exec::LaunchSpec spec) {
  const AttemptId id = spec.id;
  if (find(id) != nullptr) return;
  Tracked& tracked = tracking_[id];
  tracked.id = id;
  tracked.created_at = clock_.now();
  if (claim_known(tracked)) return;
  auto prepared = prepare_pod(spec, options_.defaults);
  if (!prepared) {
    const Error& error = prepared.error();
    return fail_launch(tracked, run::FailureClass::Config,
                       error.message + (error.help.empty() ? "" : " (" + error.help + ")"));
  }
  tracked.namespace_name = std::move(prepared->namespace_name);
  tracked.name = std::move(prepared->name);
  tracked.manifest = std::move(prepared->manifest);
  create(tracked);
}

void PodExecutor::take_stop(const AttemptId& id, bool now) {
  Tracked* const tracked = find(id);
  if (tracked == nullptr || tracked->over) return;
  const bool harder = now && !tracked->stop_now;
  tracked->stop = true;
  tracked->stop_now = tracked->stop_now || now;
  if (harder) tracked->deleting = false;           // a second delete shortens the grace of the first
  if (tracked->asked || tracked->adopted) return;  // the answer finds it stopped
  if (!tracked->uid.empty()) return send_delete(*tracked);
  if (tracked->maybe || tracked->exists) return look(*tracked);
  fail_launch(*tracked, run::FailureClass::External, "it was stopped before it started");
}

void PodExecutor::take_adoption(const exec::OpenAttempt& open) {
  if (find(open.id) != nullptr) return;
  Tracked& tracked = tracking_[open.id];
  const Identity identity = parse_identity(open.identity);
  tracked.id = open.id;
  tracked.created_at = clock_.now();
  tracked.namespace_name = identity.namespace_name;
  tracked.name = identity.name;
  tracked.uid = identity.uid;
  tracked.exists = !identity.uid.empty();
  tracked.adopted = true;
  tracked.stop = open.stop_requested;
  tell(tracked, "the API server has not told yet what became of its pod");
  claim_known(tracked);
}

void PodExecutor::take_forget(const AttemptId& id) {
  Tracked* const tracked = find(id);
  if (tracked == nullptr) return;
  tracked->committed = true;
  if (tracked->over) return clear_away(*tracked);
  // Given up on by the engine: should it still be there, it is asked to end.
  take_stop(id, true);
}

void PodExecutor::tell(const Tracked& tracked, const std::string& text) {
  const std::lock_guard lock(notes_mutex_);
  if (text.empty())
    notes_.erase(tracked.id);
  else
    notes_[tracked.id] = text;
}

Tracked* PodExecutor::find(const AttemptId& id) {
  const auto found = tracking_.find(id);
  return found == tracking_.end() ? nullptr : &found->second;
}

// Doubled each time, half of it by chance.
Duration PodExecutor::next_backoff(Tracked& tracked, Duration first) {
  tracked.backoff = tracked.backoff.count() == 0 ? first : std::min(tracked.backoff * 2, options_.retry_longest);
  const auto half = tracked.backoff / 2;
  return half + Duration(static_cast<std::int64_t>(static_cast<double>(half.count()) * rng_.unit()));
}

void PodExecutor::fail_launch(Tracked& tracked, run::FailureClass failure, const std::string& message) {
  const AttemptId id = tracked.id;
  if (tracked.maybe) disowned_.insert(id);
  erase(id);
  sink_.on_report(exec::LaunchFailed{id, failure, message});
}

void PodExecutor::erase(const AttemptId& id) {
  const auto found = tracking_.find(id);
  if (found == tracking_.end()) return;
  if (found->second.due) due_.erase({*found->second.due, id});
  if (found->second.log_stage == Tracked::LogStage::Following) --followers_;
  tell(found->second, "");
  tracking_.erase(found);
}

std::unique_ptr<exec::Executor> make_pod_executor(std::unique_ptr<kube::Client> client, PodOptions options,
                                                  exec::ReportSink& sink, const Clock& clock, Logger log) {
  return std::make_unique<PodExecutor>(std::move(client), std::move(options), sink, clock, std::move(log));
}

}  // namespace slipway::pods
