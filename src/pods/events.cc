// What the cluster says of pods that wait: for people, never for state. Events may be missing, late and repeated.
#include "pods/executor.h"

namespace slipway::pods {
namespace {

constexpr std::size_t kWordsMax = 300;
constexpr int kEventsMax = 1000;

std::string uid_of(const Value& event) {
  const Value* object = event.find("involvedObject");
  return object == nullptr ? std::string() : object->get_string("uid");
}

// Of an event that repeats itself its last time.
std::string time_of(const Value& event) {
  for (const char* field : {"lastTimestamp", "eventTime", "firstTimestamp"})
    if (std::string at = event.get_string(field); !at.empty()) return at;
  return {};
}

}  // namespace

void PodExecutor::want_events() {
  if (!events_at_ && !events_refused_) events_at_ = clock_.monotonic() + options_.events_after;
}

// One request for all that wait: a thousand pods without a node are no reason for a thousand requests.
void PodExecutor::ask_events() {
  events_at_.reset();
  for (const auto& [name, mirror] : mirrors_) {
    kube::ListOptions wanted;
    wanted.field_selector = "involvedObject.kind=Pod,type=Warning";
    wanted.limit = kEventsMax;
    client_->call(kube::list_call({kube::kEvents, name, ""}, wanted),
                  [this](const kube::Answer& answer) { inbox_->post([this, answer] { on_events(answer); }); });
  }
}

void PodExecutor::on_events(const kube::Answer& answer) {
  if (!answer) {
    events_refused_ = answer.failure->kind == kube::FailureKind::Forbidden;
    return;
  }
  std::map<std::string, std::pair<std::string, std::string>> newest;  // by uid: when, words
  if (const Value* items = answer.object.find("items"); items != nullptr && items->is_array())
    for (const Value& event : items->as_array()) {
      auto& [at, words] = newest[uid_of(event)];
      if (std::string when = time_of(event); when >= at) {
        at = std::move(when);
        words = event.get_string("reason") + ": " + event.get_string("message").substr(0, kWordsMax);
      }
    }
  for (auto& [id, tracked] : tracking_) {
    if (tracked.uid.empty() || tracked.running || tracked.over) continue;
    if (const auto found = newest.find(tracked.uid); found != newest.end()) tracked.event = found->second.second;
    wake_at(tracked, Duration(0));  // says it
  }
}

}  // namespace slipway::pods
