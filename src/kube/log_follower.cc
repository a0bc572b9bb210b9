#include <algorithm>
#include <atomic>
#include <future>

#include "slipway/kube/logs.h"

namespace slipway::kube {
namespace {

enum class ContainerState : unsigned char { Waiting, Running, Ended };

const Value* status_of(const Value& pod, std::string_view container) {
  const Value* status = pod.find("status");
  if (status == nullptr) return nullptr;
  for (const char* list : {"containerStatuses", "initContainerStatuses"}) {
    const Value* all = status->find(list);
    if (all == nullptr || !all->is_array()) continue;
    for (const Value& one : all->as_array())
      if (one.get_string("name") == container) return &one;
  }
  return nullptr;
}

ContainerState state_of(const Value& pod, std::string_view container) {
  const Value* status = status_of(pod, container);
  const Value* state = status == nullptr ? nullptr : status->find("state");
  if (state != nullptr && state->find("terminated") != nullptr) return ContainerState::Ended;
  // A pod that has ended says so, even if nobody filled in what became of its containers.
  const Value* of_pod = pod.find("status");
  const std::string phase = of_pod == nullptr ? std::string() : of_pod->get_string("phase");
  if (phase == "Succeeded" || phase == "Failed") return ContainerState::Ended;
  if (state != nullptr && state->find("running") != nullptr) return ContainerState::Running;
  return ContainerState::Waiting;
}

std::string uid_of(const Value& pod) {
  const Value* metadata = pod.find("metadata");
  return metadata == nullptr ? std::string() : metadata->get_string("uid");
}

// Of a log request: whether asking again may help.
bool passes(FailureKind kind) {
  switch (kind) {
    case FailureKind::Unreachable:
    case FailureKind::Interrupted:
    case FailureKind::Unauthorized:
    case FailureKind::TooManyRequests:
    case FailureKind::Overloaded:
    case FailureKind::Invalid:  // the container is still being created
    case FailureKind::Conflict:
    case FailureKind::Expired: return true;
    case FailureKind::Forbidden:
    case FailureKind::QuotaExceeded:
    case FailureKind::NotFound:
    case FailureKind::AlreadyExists:
    case FailureKind::TooLarge:
    case FailureKind::Misconfigured:
    case FailureKind::Unexpected: break;
  }
  return false;
}

}  // namespace

// On the client's I/O thread, but for the flag.
struct LogFollower::Impl : std::enable_shared_from_this<LogFollower::Impl> {
  Impl(Client& a, LogFollowOptions o, LogCursor c, LogFollowCallbacks b)
      : client(a),
        options(std::move(o)),
        cursor(std::move(c)),
        callbacks(std::move(b)),
        backoff(options.backoff_first) {}

  void emit(const LogLine& line) {
    backoff = options.backoff_first;
    callbacks.on_line(line);
  }

  // Follows, or where the container has ended reads what is left.
  void read(bool last) {
    if (closed) return;
    const ApiCall call =
        log_call(options.pod, {.container = options.container, .follow = !last, .since_time = cursor.since()});
    before = cursor;
    cursor.begin();
    StreamCallbacks handlers;
    handlers.on_data = [self = shared_from_this()](std::string_view bytes) {
      self->cursor.take(bytes, [&](const LogLine& line) { self->emit(line); });
      return http::Flow::Go;
    };
    handlers.on_end = [self = shared_from_this(), last](const std::optional<Failure>& failure) {
      self->on_read(last, failure);
    };
    stream = client.open(call, std::move(handlers));
  }

  void on_read(bool last, const std::optional<Failure>& failure) {
    if (closed) return;
    if (!failure && last) {
      cursor.finish([&](const LogLine& line) { emit(line); });
      return end(LogEnd::Complete, {});
    }
    if (last && failure->kind == FailureKind::NotFound) {
      cursor = before;  // the stream before this one was the last
      return pod_gone(failure);
    }
    ended_cleanly = !failure;
    if (!failure) return look();
    if (failure->kind == FailureKind::NotFound) return end(LogEnd::PodGone, failure);
    if (last && failure->kind == FailureKind::Invalid) return end(LogEnd::Complete, failure);  // it never started
    if (!passes(failure->kind)) return end(LogEnd::Refused, failure);
    later([self = shared_from_this()] { self->look(); });
  }

  // The end of a stream says nothing about the container; its pod does.
  void look() {
    if (closed) return;
    client.call(get_call(options.pod), [self = shared_from_this()](const Answer& answer) { self->on_pod(answer); });
  }

  void on_pod(const Answer& answer) {
    if (closed) return;
    if (!answer && answer.failure->kind == FailureKind::NotFound) return pod_gone(answer.failure);
    if (!answer && !passes(answer.failure->kind)) return end(LogEnd::Refused, answer.failure);
    if (!answer) return later([self = shared_from_this()] { self->look(); });
    if (!options.uid.empty() && uid_of(answer.object) != options.uid) return end(LogEnd::PodGone, {});
    if (state_of(answer.object, options.container) == ContainerState::Ended) return read(true);
    later([self = shared_from_this()] { self->read(false); });
  }

  // A pod that is deleted goes as soon as its container has ended, which also ends the stream.
  void pod_gone(const std::optional<Failure>& failure) {
    if (!ended_cleanly) return end(LogEnd::PodGone, failure);
    cursor.finish([&](const LogLine& line) { emit(line); });
    end(LogEnd::StreamEnded, failure);
  }

  void later(std::function<void()> work) {
    client.loop().after(backoff, std::move(work));
    backoff = std::min(backoff * 2, options.backoff_longest);
  }

  void end(LogEnd how, const std::optional<Failure>& failure) {
    if (closed.exchange(true)) return;
    callbacks.on_end(how, failure);
  }

  Client& client;
  const LogFollowOptions options;
  LogCursor cursor;
  LogCursor before;  // as it was when the last request began
  const LogFollowCallbacks callbacks;
  Duration backoff;
  http::StreamId stream = 0;
  bool ended_cleanly = false;  // the last stream
  std::atomic<bool> closed{false};
};

LogFollower::LogFollower(Client& client, LogFollowOptions options, LogCursor cursor, LogFollowCallbacks callbacks)
    : impl_(std::make_shared<Impl>(client, std::move(options), std::move(cursor), std::move(callbacks))) {
  client.loop().post([impl = impl_] { impl->read(false); });
}

LogFollower::~LogFollower() {
  std::promise<void> quiet;
  impl_->closed = true;
  impl_->client.loop().post([&] {
    impl_->client.close(impl_->stream);
    quiet.set_value();
  });
  quiet.get_future().wait();
}

}  // namespace slipway::kube
