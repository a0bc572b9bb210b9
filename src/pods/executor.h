// The executor's parts: creation.cc asks for pods, sight.cc takes in what is seen of them, drain.cc reads their logs
// and clears them away, events.cc asks what those that wait wait for. Everything but the public calls is on one thread.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "pods/inbox.h"
#include "pods/pod_log.h"
#include "pods/verdict.h"
#include "slipway/base/rng.h"
#include "slipway/kube/logs.h"
#include "slipway/pods/pod_executor.h"

namespace slipway::pods {

// Lines on their way from the client's thread to ours.
struct LogFeed {
  struct Line {
    std::string stamp, text;
    bool partial = false;
  };
  std::mutex mutex;
  std::vector<Line> lines;  // guarded by mutex
  bool told = false;        // guarded by mutex: somebody is on the way to take them
  std::optional<kube::LogEnd> end;
  std::string why;
};

// One pod, or one to be.
struct Tracked {
  AttemptId id;
  std::string namespace_name, name;
  std::string uid;  // empty: it is not known to exist
  Value manifest;   // null: there is nothing to create it from
  PodRules rules;
  kube::PodView pod;      // as it was last seen
  Instant created_at;     // as far as we know
  bool asked = false;     // a create or a get is on its way
  bool maybe = false;     // it may exist although nobody has said so
  bool mirrored = false;  // the mirror has shown it: it also tells when it is gone
  bool exists = false;    // the server has said so once: it is never created again
  bool gone = false;      // the server has said that too
  bool adopted = false;   // of an earlier daemon; its first sight is awaited
  bool launched = false, running = false, lost = false, over = false;  // what was reported
  bool committed = false;                                              // the engine needs it no more
  bool stop = false, stop_now = false;
  bool deleting = false;  // a delete is on its way
  std::optional<GivenUp> given_up;
  Duration backoff{0};
  std::string event;                     // what the cluster last warned of
  std::optional<Instant> trouble_since;  // it waits for what may never come

  enum class LogStage : unsigned char { None, Wanted, Following, Done };
  LogStage log_stage = LogStage::None;
  std::optional<PodLog> log;
  std::shared_ptr<LogFeed> feed;
  std::unique_ptr<kube::LogFollower> follower;

  MonoInstant drain_until{};       // once it is over
  std::optional<MonoInstant> due;  // when tend() looks at it again
  [[nodiscard]] kube::ObjectPath path() const { return {kube::kPods, namespace_name, name}; }
  [[nodiscard]] std::string identity() const { return namespace_name + "/" + name + "/" + uid; }
};

class PodExecutor final : public exec::Executor {
 public:
  PodExecutor(std::unique_ptr<kube::Client> client, PodOptions options, exec::ReportSink& sink, const Clock& clock,
              Logger log);
  ~PodExecutor() override;

  [[nodiscard]] std::string_view name() const override { return "kubernetes"; }
  void launch(exec::LaunchSpec spec) override;
  void stop(const AttemptId& id, bool now) override;
  void adopt(const std::vector<exec::OpenAttempt>& attempts) override;
  void forget(const AttemptId& id) override;
  [[nodiscard]] std::string note(const AttemptId& id) const override;

 private:
  using Tracking = std::map<AttemptId, Tracked>;

  // --- executor.cc
  void loop();
  [[nodiscard]] std::optional<Duration> next_due() const;
  void wake_at(Tracked& tracked, Duration delay);
  void run_due();
  void tend(Tracked& tracked);
  void start_mirrors();
  void check_rights(const std::string& namespace_name);
  void take_launch(exec::LaunchSpec spec);
  void take_stop(const AttemptId& id, bool now);
  void take_adoption(const exec::OpenAttempt& open);
  void take_forget(const AttemptId& id);
  void tell(const Tracked& tracked, const std::string& text);
  [[nodiscard]] Tracked* find(const AttemptId& id);
  [[nodiscard]] Duration next_backoff(Tracked& tracked, Duration first);
  void fail_launch(Tracked& tracked, run::FailureClass failure, const std::string& message);
  void erase(const AttemptId& id);

  // --- creation.cc
  void create(Tracked& tracked);
  void on_created(const AttemptId& id, const kube::Answer& answer);
  void refused(Tracked& tracked, const kube::Failure& failure);
  void look(Tracked& tracked);
  void on_looked(const AttemptId& id, const kube::Answer& answer);
  void absent(Tracked& tracked);
  void try_again(Tracked& tracked, Duration first, const std::string& why);

  // --- sight.cc
  void on_change(const kube::Change& change);
  void on_synced(const std::string& namespace_name);
  void settle_unlisted(const std::string& namespace_name);
  void appeared(const AttemptId& id, const Value& pod);
  bool claim_known(Tracked& tracked);
  void claim(Tracked& tracked, const Value& pod);
  void see(Tracked& tracked, kube::PodView pod);
  void wait_for(Tracked& tracked, const kube::PodOutcome& outcome);
  void announce_running(Tracked& tracked);
  void give_up(Tracked& tracked, run::FailureClass failure, const std::string& why);
  void judge_lost(Tracked& tracked);
  void missing(Tracked& tracked);
  void gone(Tracked& tracked);
  void end(Tracked& tracked, const kube::PodOutcome& outcome);
  void send_delete(Tracked& tracked);
  void on_deleted(const AttemptId& id, const kube::Answer& answer);

  // --- events.cc
  void want_events();
  void ask_events();
  void on_events(const kube::Answer& answer);

  // --- drain.cc
  void want_log(Tracked& tracked);
  void follow_next();
  void follow(Tracked& tracked);
  void take_lines(const AttemptId& id);
  void end_log(Tracked& tracked, const std::string& why_cut);
  void clear_away(Tracked& tracked);
  void sweep_leftovers();

  const PodOptions options_;
  exec::ReportSink& sink_;
  const Clock& clock_;
  const Logger log_;
  Rng rng_;
  std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();
  std::unique_ptr<kube::Client> client_;
  std::map<std::string, std::unique_ptr<kube::Reflector>> mirrors_;  // by namespace
  std::set<std::string> synced_;                                     // namespaces that were listed
  Tracking tracking_;
  std::set<std::pair<MonoInstant, AttemptId>> due_;
  // Pods of ours that no attempt has asked for yet.
  struct Unclaimed {
    Value pod;
    MonoInstant since;
    bool told = false;
  };
  std::map<AttemptId, Unclaimed> unclaimed_;
  std::set<AttemptId> disowned_;  // said to have no pod: one that comes late is deleted
  std::deque<AttemptId> log_queue_;
  int followers_ = 0;
  std::optional<MonoInstant> sweep_at_, events_at_;
  bool events_refused_ = false;
  mutable std::mutex notes_mutex_;
  std::map<AttemptId, std::string> notes_;  // guarded by notes_mutex_
  std::thread thread_;                      // last: starts when everything else is there
};

// A mirror keeps no more of a pod than this.
[[nodiscard]] Value projected(Value pod);
// Of the annotation that names the attempt.
[[nodiscard]] std::optional<AttemptId> attempt_of(const Value& pod);
[[nodiscard]] std::string annotation_of(const Value& pod, std::string_view name);

}  // namespace slipway::pods
