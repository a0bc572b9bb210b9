#include "slipway/kube/reflector.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "kube/object_cache.h"
#include "slipway/base/rng.h"

namespace slipway::kube {
namespace {

// What the I/O thread hands over. Outlives the reflector while a late callback holds it.
struct Inbox {
  std::mutex mutex;
  std::condition_variable changed;
  bool stopping = false;
  bool relist = false;
  std::uint64_t turn = 0;  // of the list or watch that is awaited; what is older is dropped
  std::optional<Answer> answer;
  std::string bytes;
  bool paused = false;
  bool ended = false;
  std::optional<Failure> failure;

  [[nodiscard]] std::uint64_t begin() {
    const std::lock_guard lock(mutex);
    answer.reset();
    bytes.clear();
    paused = ended = false;
    failure.reset();
    return ++turn;
  }
};

enum class WatchEnd : unsigned char { Clean, Failed, ListAgain };

Failure made(FailureKind kind, std::string message) {
  Failure failure;
  failure.kind = kind;
  failure.message = std::move(message);
  return failure;
}

std::string version_of(const Value& object) {
  const Value* metadata = object.find("metadata");
  return metadata == nullptr ? std::string() : metadata->get_string("resourceVersion");
}

}  // namespace

struct Reflector::Impl {
  Impl(Client& a, const Clock& b, ReflectorOptions o, ReflectorCallbacks c, std::uint64_t seed, const Logger& l)
      : client(a),
        clock(b),
        options(std::move(o)),
        callbacks(std::move(c)),
        log(l.with({{"mirror", options.collection.str()}})),
        rng(seed),
        cache(options.project),
        backoff(options.backoff_first) {}

  // --- The reflector's thread.

  void run() {
    while (!stopping()) {
      if (!list()) {
        wait_backoff();
        continue;
      }
      while (!stopping() && watch_once() != WatchEnd::ListAgain) {
      }
    }
  }

  [[nodiscard]] bool stopping() const {
    const std::lock_guard lock(inbox->mutex);
    return inbox->stopping;
  }

  // Also ends when a list is asked for.
  void wait_backoff() {
    Duration delay = backoff + std::chrono::duration_cast<Duration>(backoff * rng.unit());
    delay = std::max(delay, told_to_wait.value_or(Duration(0)));
    told_to_wait.reset();
    backoff = std::min(backoff * 2, options.backoff_longest);
    std::unique_lock lock(inbox->mutex);
    inbox->changed.wait_for(lock, delay, [&] { return inbox->stopping || inbox->relist; });
  }

  void report(const Failure& failure) {
    {
      const std::lock_guard lock(mutex);
      ++stats.failures;
    }
    told_to_wait = failure.retry_after;
    log.debug("the mirror was interrupted", {{"error", failure.message}});
    if (callbacks.on_failure) callbacks.on_failure(failure);
  }

  void tell(const std::vector<Change>& changes) {
    if (!callbacks.on_change) return;
    for (const Change& change : changes) callbacks.on_change(change);
  }

  // One page, or nothing: it failed, or it is time to end.
  std::optional<Answer> page(const ListOptions& wanted) {
    ApiCall call = list_call(options.collection, wanted);
    call.raw = true;  // parsed here
    const std::uint64_t turn = inbox->begin();
    client.call(std::move(call), [box = inbox, turn](Answer answer) {
      const std::lock_guard lock(box->mutex);
      if (box->turn == turn) box->answer = std::move(answer);
      box->changed.notify_all();
    });
    std::unique_lock lock(inbox->mutex);
    inbox->changed.wait(lock, [&] { return inbox->stopping || inbox->answer; });
    if (!inbox->answer) return std::nullopt;
    return std::move(inbox->answer);
  }

  // Takes the items of a page; gives its metadata.
  Result<Value> take_page(const std::string& text, std::vector<Value>& objects) {
    SLIPWAY_TRY_ASSIGN(Value body, parse_json(text, {.bytes_max = text.size() + 1}));
    if (body.find("metadata") == nullptr || version_of(body).empty())
      return Error{ErrorCode::Corrupt, "the list has no resource version", {}};
    if (body.find("items") != nullptr && body["items"].is_array())
      for (Value& object : body["items"].as_array()) objects.push_back(std::move(object));
    return std::move(body["metadata"]);
  }

  bool list() {
    {
      const std::lock_guard lock(inbox->mutex);
      inbox->relist = false;
    }
    ListOptions wanted{options.label_selector, options.field_selector, options.page, {}, {}};
    std::vector<Value> objects;
    while (true) {
      auto answer = page(wanted);
      if (!answer) return false;
      if (answer->failure) {
        const bool later_page = !wanted.continue_token.empty();
        if (answer->failure->kind == FailureKind::Expired && later_page) {
          wanted.continue_token.clear();  // the pages were too slow for the server's memory: all in one
          wanted.limit = 0;
          objects.clear();
          continue;
        }
        report(*answer->failure);
        return false;
      }
      const auto metadata = take_page(answer->text, objects);
      if (!metadata) {
        report(made(FailureKind::Unexpected, metadata.error().message));
        return false;
      }
      wanted.continue_token = metadata->get_string("continue");
      if (!wanted.continue_token.empty()) continue;
      version = metadata->get_string("resourceVersion");
      break;
    }
    take_list(std::move(objects));
    return true;
  }

  void take_list(std::vector<Value> objects) {
    listed_at = clock.monotonic();
    std::vector<Change> changes;
    {
      const std::lock_guard lock(mutex);
      ++stats.lists;
      changes = cache.replace(std::move(objects));
    }
    tell(changes);
    {
      const std::lock_guard lock(mutex);
      synced = true;
    }
    if (callbacks.on_synced) callbacks.on_synced();
  }

  WatchEnd watch_once() {
    const MonoInstant begun = clock.monotonic();
    const std::uint64_t events_before = stats.events;
    const WatchEnd end = watch();
    const Duration lasted = clock.monotonic() - begun;
    const bool silent = stats.events == events_before;
    if (lasted >= options.healthy_after || (end == WatchEnd::Clean && !silent)) backoff = options.backoff_first;
    bool again = end == WatchEnd::ListAgain;
    const bool broken = end == WatchEnd::Clean && silent && lasted < options.short_watch;
    if (broken) report(made(FailureKind::Interrupted, "the watch ended as soon as it began"));
    // A server that forgets what it has just said must not be asked in circles.
    const bool forgetful = again && silent && clock.monotonic() - listed_at < options.short_watch;
    if (broken || forgetful || end == WatchEnd::Failed) wait_backoff();
    const std::lock_guard lock(inbox->mutex);
    again = again || inbox->relist || clock.monotonic() - listed_at >= options.relist_every;
    return again ? WatchEnd::ListAgain : WatchEnd::Clean;
  }

  [[nodiscard]] Duration watch_limit() {
    const Duration span = options.watch_longest - options.watch_shortest;
    return options.watch_shortest + std::chrono::duration_cast<Duration>(span * rng.unit());
  }

  http::StreamId open_watch(std::uint64_t turn) {
    const ApiCall call = watch_call(options.collection, {.label_selector = options.label_selector,
                                                         .field_selector = options.field_selector,
                                                         .resource_version = version,
                                                         .limit = watch_limit()});
    const std::size_t bytes_max = options.buffer_bytes_max;
    StreamCallbacks stream;
    stream.on_data = [box = inbox, turn, bytes_max](std::string_view bytes) {
      const std::lock_guard lock(box->mutex);
      if (box->turn != turn) return http::Flow::Stop;
      box->paused = box->bytes.size() >= bytes_max;
      if (box->paused) return http::Flow::Pause;
      box->bytes.append(bytes);
      box->changed.notify_all();
      return http::Flow::Go;
    };
    stream.on_end = [box = inbox, turn](std::optional<Failure> failure) {
      const std::lock_guard lock(box->mutex);
      if (box->turn != turn) return;
      box->ended = true;
      box->failure = std::move(failure);
      box->changed.notify_all();
    };
    return client.open(call, std::move(stream));
  }

  WatchEnd watch() {
    {
      const std::lock_guard lock(mutex);
      ++stats.watches;
    }
    const http::StreamId id = open_watch(inbox->begin());
    LineSplitter lines(options.line_bytes_max);
    while (true) {
      std::string bytes;
      bool ended = false;
      bool resume = false;
      std::optional<Failure> failure;
      {
        std::unique_lock lock(inbox->mutex);
        inbox->changed.wait(lock,
                            [&] { return inbox->stopping || inbox->relist || inbox->ended || !inbox->bytes.empty(); });
        bytes.swap(inbox->bytes);
        resume = std::exchange(inbox->paused, false);
        ended = inbox->ended;
        failure = inbox->failure;
        if (inbox->stopping || (inbox->relist && bytes.empty())) break;
      }
      if (resume) client.resume(id);
      lines.add(bytes);
      if (const auto end = take_lines(lines)) return client.close(id), *end;
      if (ended) return end_of(failure);
    }
    client.close(id);
    return WatchEnd::ListAgain;
  }

  WatchEnd end_of(const std::optional<Failure>& failure) {
    if (!failure) return WatchEnd::Clean;
    if (failure->kind == FailureKind::Expired) return expired();
    report(*failure);
    return WatchEnd::Failed;
  }

  WatchEnd expired() {
    const std::lock_guard lock(mutex);
    ++stats.expired;
    return WatchEnd::ListAgain;
  }

  // Something if the watch is over.
  std::optional<WatchEnd> take_lines(LineSplitter& lines) {
    while (const auto line = lines.next()) {
      auto event = parse_event(*line);
      if (!event) {
        report(made(FailureKind::Unexpected, event.error().message));
        return WatchEnd::ListAgain;
      }
      if (event->type == EventType::Error) return end_of(failure_of_status(event->object));
      if (std::string seen = version_of(event->object); !seen.empty()) version = std::move(seen);
      if (event->type != EventType::Bookmark) take_event(event->type, std::move(event->object));
    }
    if (!lines.overflowed()) return std::nullopt;
    report(made(FailureKind::TooLarge, "an event is longer than " + std::to_string(options.line_bytes_max) + " bytes"));
    return WatchEnd::ListAgain;
  }

  void take_event(EventType type, Value object) {
    std::vector<Change> changes;
    {
      const std::lock_guard lock(mutex);
      ++stats.events;
      changes = cache.apply(type, std::move(object));
    }
    tell(changes);
  }

  Client& client;
  const Clock& clock;
  const ReflectorOptions options;
  const ReflectorCallbacks callbacks;
  const Logger log;
  const std::shared_ptr<Inbox> inbox = std::make_shared<Inbox>();

  // Of the thread.
  Rng rng;
  std::string version;  // opaque; of the list or the last event
  MonoInstant listed_at{};

  mutable std::mutex mutex;  // of cache, stats and synced; only the thread writes them
  ObjectCache cache;
  ReflectorStats stats;
  bool synced = false;

  Duration backoff;
  std::optional<Duration> told_to_wait;  // by the last failure
  std::thread thread;
};

Reflector::Reflector(Client& client, const Clock& clock, ReflectorOptions options, ReflectorCallbacks callbacks,
                     std::uint64_t seed, const Logger& log)
    : impl_(std::make_unique<Impl>(client, clock, std::move(options), std::move(callbacks), seed, log)) {
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

Reflector::~Reflector() {
  {
    const std::lock_guard lock(impl_->inbox->mutex);
    impl_->inbox->stopping = true;
    impl_->inbox->changed.notify_all();
  }
  impl_->thread.join();
}

bool Reflector::synced() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->synced;
}

std::optional<Value> Reflector::find(std::string_view key) const {
  const std::lock_guard lock(impl_->mutex);
  const auto it = impl_->cache.objects().find(key);
  return it == impl_->cache.objects().end() ? std::nullopt : std::optional(it->second);
}

std::vector<Value> Reflector::objects() const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<Value> out;
  for (const auto& [key, object] : impl_->cache.objects()) out.push_back(object);
  return out;
}

void Reflector::relist() {
  const std::lock_guard lock(impl_->inbox->mutex);
  impl_->inbox->relist = true;
  impl_->inbox->changed.notify_all();
}

ReflectorStats Reflector::stats() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->stats;
}

}  // namespace slipway::kube
