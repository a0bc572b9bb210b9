// Logs are read to their end, then their pods go.
#include <algorithm>

#include "pods/executor.h"

namespace slipway::pods {

using Stage = Tracked::LogStage;

namespace {

constexpr const char* kGoneFirst = "its pod was gone before it was read to the end";

}  // namespace

void PodExecutor::want_log(Tracked& tracked) {
  if (tracked.log_stage != Stage::None) return;
  tracked.log_stage = Stage::Wanted;
  log_queue_.push_back(tracked.id);
  follow_next();
}

// What has ended goes first: its pod waits for it.
void PodExecutor::follow_next() {
  while (followers_ < options_.followers_max && !log_queue_.empty()) {
    const auto ended = std::find_if(log_queue_.begin(), log_queue_.end(), [this](const AttemptId& id) {
      const Tracked* const tracked = find(id);
      return tracked != nullptr && tracked->over;
    });
    const auto next = ended == log_queue_.end() ? log_queue_.begin() : ended;
    Tracked* const tracked = find(*next);
    log_queue_.erase(next);
    if (tracked != nullptr && tracked->log_stage == Stage::Wanted) follow(*tracked);
  }
}

void PodExecutor::follow(Tracked& tracked) {
  auto opened = PodLog::open(options_.home, tracked.id, options_.log_bytes_max);
  if (!opened) {
    log_.error("a log cannot be kept", {{"attempt", tracked.id.str()}, {"error", opened.error().message}});
    tracked.log_stage = Stage::Done;
    return;
  }
  tracked.log.emplace(std::move(*opened));
  tracked.log_stage = Stage::Following;
  tracked.feed = std::make_shared<LogFeed>();
  ++followers_;
  kube::LogFollowOptions following = options_.following;
  following.pod = tracked.path();
  following.uid = tracked.uid;
  const auto call = [this, box = inbox_, feed = tracked.feed, id = tracked.id] {
    if (!std::exchange(feed->told, true)) box->post([this, id] { take_lines(id); });
  };
  kube::LogFollowCallbacks callbacks;
  callbacks.on_line = [feed = tracked.feed, call](const kube::LogLine& line) {
    const std::lock_guard lock(feed->mutex);
    feed->lines.push_back({std::string(line.stamp), std::string(line.text), line.partial});
    call();
  };
  callbacks.on_end = [feed = tracked.feed, call](kube::LogEnd how, const std::optional<kube::Failure>& failure) {
    const std::lock_guard lock(feed->mutex);
    feed->end = how;
    if (failure) feed->why = failure->message;
    call();
  };
  tracked.follower =
      std::make_unique<kube::LogFollower>(*client_, std::move(following), tracked.log->cursor(), std::move(callbacks));
}

void PodExecutor::take_lines(const AttemptId& id) {
  Tracked* const tracked = find(id);
  if (tracked == nullptr || !tracked->feed || !tracked->log) return;
  std::vector<LogFeed::Line> lines;
  std::optional<kube::LogEnd> how;
  std::string why;
  {
    const std::lock_guard lock(tracked->feed->mutex);
    lines.swap(tracked->feed->lines);
    tracked->feed->told = false;
    how = tracked->feed->end;
    why = tracked->feed->why;
  }
  for (const LogFeed::Line& line : lines) tracked->log->add({line.stamp, line.text, line.partial});
  if (const auto written = tracked->log->write(); !written) return end_log(*tracked, written.error().message);
  if (!how) return;
  switch (*how) {
    case kube::LogEnd::Complete: return end_log(*tracked, "");
    case kube::LogEnd::StreamEnded:  // whole, if the container is known to have ended; end() asks again
      if (!tracked->over) return;
      return end_log(*tracked, tracked->pod.main.terminated ? "" : kGoneFirst);
    case kube::LogEnd::PodGone: return end_log(*tracked, kGoneFirst);
    case kube::LogEnd::Refused: return end_log(*tracked, "the cluster does not give it: " + why);
  }
}

void PodExecutor::end_log(Tracked& tracked, const std::string& why_cut) {
  const AttemptId id = tracked.id;
  if (tracked.log_stage == Stage::Following) --followers_;
  tracked.log_stage = Stage::Done;
  tracked.follower.reset();
  tracked.feed.reset();
  if (tracked.log)
    if (const auto closed = tracked.log->close(why_cut); !closed)
      log_.error("a log cannot be kept", {{"attempt", id.str()}, {"error", closed.error().message}});
  tracked.log.reset();
  if (!why_cut.empty()) log_.warn("a log is not complete", {{"attempt", id.str()}, {"why", why_cut}});
  if (tracked.over) clear_away(tracked);
  follow_next();
}

// The end is committed and the log is read, or has had its time.
void PodExecutor::clear_away(Tracked& tracked) {
  if (!tracked.over || !tracked.committed) return;
  if (tracked.log_stage != Stage::Done) {
    const Duration left = tracked.drain_until - clock_.monotonic();
    if (left > Duration(0)) return wake_at(tracked, left);
    return end_log(tracked, "it was not read in time");
  }
  if (!tracked.gone) return send_delete(tracked);
  erase(AttemptId(tracked.id));
}

// Pods of an earlier daemon that have ended and that no attempt asked for: their ends were committed, so what is left
// is to read their logs. Those that run are nobody's, and a person's to judge.
void PodExecutor::sweep_leftovers() {
  const MonoInstant now = clock_.monotonic();
  sweep_at_.reset();
  for (auto it = unclaimed_.begin(); it != unclaimed_.end();) {
    if (now - it->second.since < options_.leftover_grace) {
      sweep_at_ = now + options_.leftover_grace;
      ++it;
      continue;
    }
    const kube::PodView pod = kube::view_of(it->second.pod);
    const kube::PodOutcome outcome = kube::judge(pod, true);
    if (outcome.stage != kube::PodStage::Ended) {
      if (!std::exchange(it->second.told, true))
        log_.warn("a pod of ours belongs to no attempt that is open",
                  {{"pod", pod.name}, {"attempt", it->first.str()}});
      ++it;
      continue;
    }
    Tracked& tracked = tracking_[it->first];
    tracked.id = it->first;
    tracked.over = tracked.committed = tracked.launched = tracked.running = tracked.mirrored = true;
    tracked.drain_until = now + options_.drain_longest;
    claim(tracked, it->second.pod);
    if (outcome.started)
      want_log(tracked);
    else
      tracked.log_stage = Stage::Done;
    it = unclaimed_.erase(it);
    clear_away(tracked);
  }
}

}  // namespace slipway::pods
