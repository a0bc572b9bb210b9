#include "slipway/api/event_stream.h"

#include <algorithm>
#include <charconv>

#include "api/bodies.h"

namespace slipway::api {
namespace {

std::string message_of(const std::string& id, std::string_view name, const Value& data) {
  return "id: " + id + "\nevent: " + std::string(name) + "\ndata: " + data.dump() + "\n\n";
}

}  // namespace

EventStream::EventStream(const Clock& clock, EventStreamOptions options)
    : clock_(clock), options_(options), epoch_(std::to_string(to_micros(clock.now()))) {}

EventStream::~EventStream() {
  for (const Listener& listener : listeners_) listener.reply->end();
}

void EventStream::on_committed(const std::vector<run::Event>& events) {
  const std::lock_guard lock(mutex_);
  if (!keeping_) {  // most daemons have no listener, and do not pay for one
    last_ += events.size();
    return;
  }
  for (const run::Event& event : events) add(event);
  std::erase_if(listeners_, [&](const Listener& listener) {
    std::string news;
    for (auto it = kept_.end() - static_cast<std::ptrdiff_t>(std::min(events.size(), kept_.size())); it != kept_.end();
         ++it)
      if (listener.run.empty() || listener.run == it->run) news += it->message;
    return !news.empty() && !listener.reply->write(news);
  });
}

void EventStream::add(const run::Event& event) {
  Value data = event_value(event);
  data["run"] = event.run.str();
  const std::string name = data.find("event")->get_string("kind");
  ++last_;
  kept_.push_back({last_, event.run, message_of(id_of(last_), name, data)});
  if (kept_.size() > options_.kept_max) kept_.pop_front();
}

// What a listener missed, or how it begins.
std::string EventStream::first_messages(const RunId& run, const std::string& last_id) const {
  std::uint64_t seen = 0;
  const std::string mine = epoch_ + "-";
  const bool known =
      last_id.compare(0, mine.size(), mine) == 0 &&
      std::from_chars(last_id.data() + mine.size(), last_id.data() + last_id.size(), seen).ec == std::errc() &&
      seen <= last_ && seen + kept_.size() >= last_;
  if (!known) return message_of(id_of(last_), last_id.empty() ? "ready" : "reset", Value(Value::Object{}));
  std::string missed = message_of(last_id, "ready", Value(Value::Object{}));
  for (const Kept& kept : kept_)
    if (kept.number > seen && (run.empty() || run == kept.run)) missed += kept.message;
  return missed;
}

Result<std::shared_ptr<http::LaterReply>> EventStream::listen(const RunId& run, const std::string& last_id) {
  const std::lock_guard lock(mutex_);
  if (listeners_.size() >= options_.listeners_max)
    return Error{ErrorCode::Unavailable, "too many listen to the events already", "try again later"};
  keeping_ = true;
  heard_at_ = clock_.monotonic();
  auto reply = std::make_shared<http::LaterReply>(options_.unsent_bytes_max);
  reply->begin({200,
                "text/event-stream",
                first_messages(run, last_id),
                {{"Cache-Control", "no-cache, private"}, {"X-Content-Type-Options", "nosniff"}}});
  listeners_.push_back({run, clock_.monotonic() + options_.listen_max, reply});
  return reply;
}

void EventStream::beat() {
  const std::lock_guard lock(mutex_);
  const MonoInstant now = clock_.monotonic();
  if (now < beat_at_) return;
  beat_at_ = now + options_.beat_every;
  if (!listeners_.empty()) heard_at_ = now;
  std::erase_if(listeners_, [&](const Listener& listener) {
    if (now < listener.until) return !listener.reply->write(": \n\n");
    listener.reply->end();
    return true;
  });
  if (now - heard_at_ < options_.kept_alone) return;
  keeping_ = false;
  kept_.clear();
}

}  // namespace slipway::api
