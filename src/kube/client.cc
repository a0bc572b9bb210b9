#include "slipway/kube/client.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <thread>

#include "kube/pem.h"
#include "kube/requests.h"
#include "kube/retry.h"
#include "kube/token_bucket.h"

namespace slipway::kube {
namespace {

struct Pending {
  ApiCall call;
  std::function<void(Answer)> done;
  Tries tries;
  bool maybe_done = false;
  bool reauthorized = false;  // a 401 was answered with new credentials once
};
using PendingPtr = std::shared_ptr<Pending>;

struct OpenStream {
  ApiCall call;
  StreamCallbacks callbacks;
  http::StreamId transfer = 0;  // 0 while credentials are awaited
  bool reauthorized = false;
  std::atomic<bool> closed{false};
};
using StreamPtr = std::shared_ptr<OpenStream>;

bool is_write(Verb verb) { return verb == Verb::Create || verb == Verb::Patch || verb == Verb::Delete; }

Failure failure_of_identity(const Error& error) {
  const bool passes = error.code == ErrorCode::Unavailable || error.code == ErrorCode::TimedOut;
  Failure failure;
  failure.kind = passes ? FailureKind::Unreachable : FailureKind::Unauthorized;
  failure.message = error.message + (error.help.empty() ? "" : " (" + error.help + ")");
  return failure;
}

Answer parsed(const std::string& text) {
  Answer answer;
  auto object = parse_json(text, {.bytes_max = text.size() + 1});
  if (object) {
    answer.object = *std::move(object);
    return answer;
  }
  answer.failure.emplace();
  answer.failure->message = "the server's answer is no JSON: " + object.error().message;
  return answer;
}

// Answers a waiting thread, also when nobody else does.
class Waiter {
 public:
  ~Waiter() {
    if (answered_) return;
    Failure failure;
    failure.kind = FailureKind::Interrupted;
    failure.message = "the client has ended";
    failure.maybe_done = true;
    set({.failure = std::move(failure)});
  }
  void set(Answer answer) {
    answered_ = true;
    promise_.set_value(std::move(answer));
  }
  [[nodiscard]] std::future<Answer> future() { return promise_.get_future(); }

 private:
  std::promise<Answer> promise_;
  bool answered_ = false;
};

}  // namespace

// Everything but the constructor, stop() and what is atomic or locked happens on the loop's thread.
struct Client::Impl {
  Impl(const ClientConfig& c, ClientOptions o, const Clock& k, std::unique_ptr<IdentitySource> source, const Secret& ca,
       Logger l)
      : config(c),
        options(std::move(o)),
        clock(k),
        log(std::move(l)),
        target(target_of(config.cluster)),
        identities(std::move(source), clock, log),
        ca_pem(ca.reveal()),
        creates(options.creates, clock.monotonic()),
        others(options.others, clock.monotonic()),
        rng(options.seed),
        loop(http::make_curl_loop(clock)) {
    authority = std::thread([this] { authorize(); });
  }
  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    wanted.notify_all();
    authority.join();
  }

  // --- Credentials: asked for on a thread of their own, since a plugin may take its time.

  void authorize() {
    while (true) {
      {
        std::unique_lock lock(mutex);
        wanted.wait(lock, [&] { return identity_wanted || stopping; });
        if (stopping) return;
        identity_wanted = false;
      }
      auto identity = identities.refresh();
      auto ca = read_pem(config.cluster.ca, "certificate-authority");
      std::string pem = ca ? ca->reveal() : std::string();  // unreadable for a moment: the last one stays
      loop->post([this, identity = std::move(identity), pem = std::move(pem)] {
        if (!pem.empty()) ca_pem = pem;
        on_identity(identity);
      });
    }
  }

  void want_identity() {
    {
      const std::lock_guard lock(mutex);
      identity_wanted = true;
    }
    wanted.notify_all();
  }

  // The identity to use now, or null: then `go` is called again when there is one, or `fail`.
  std::shared_ptr<const Identity> identity_or_park(std::function<void()> go, std::function<void(Failure)> fail) {
    const IdentityCache::Held held = identities.held();
    if (!held.identity) parked.emplace_back(std::move(go), std::move(fail));
    if (!held.identity || held.stale) want_identity();
    return held.identity;
  }

  void on_identity(const Result<std::shared_ptr<const Identity>>& identity) {
    for (auto& [go, fail] : std::exchange(parked, {})) {
      if (identity) {
        go();
      } else {
        fail(failure_of_identity(identity.error()));
      }
    }
  }

  std::shared_ptr<const http::Tls> tls_for(const Identity& identity) {
    const bool same = tls && tls->ca_pem == ca_pem && tls->certificate_pem == identity.certificate_pem &&
                      tls->key_pem.reveal() == identity.key_pem.reveal();
    if (!same)
      tls = std::make_shared<const http::Tls>(
          http::Tls{ca_pem, identity.certificate_pem, identity.key_pem, !config.cluster.insecure_skip_tls_verify});
    return tls;
  }

  http::StreamCall request(const ApiCall& call, const Identity& identity) {
    http::StreamCall out = make_request(config, target, call, identity, options.user_agent);
    out.tls = tls_for(identity);
    out.reply_bytes_max = options.reply_bytes_max;
    if (call.verb == Verb::Watch) out.stall_timeout = options.stall_limit;
    if (call.verb == Verb::Log) out.buffer_bytes = 4 << 10;
    ++requests;
    return out;
  }

  // --- Calls: admitted by number, then by rate, then sent until there is an answer to hand up.

  void admit(const PendingPtr& pending) {
    if (static_cast<int>(waiting.size()) >= options.waiting_max) {
      Failure failure;
      failure.kind = FailureKind::TooManyRequests;
      failure.message = std::to_string(options.waiting_max) + " calls are waiting already";
      return pending->done({.failure = std::move(failure)});
    }
    waiting.push_back(pending);
    pump();
  }

  void pump() {
    while (!waiting.empty() && in_flight < options.in_flight_max) {
      const PendingPtr pending = std::move(waiting.front());
      waiting.pop_front();
      ++in_flight;
      take_token(pending);
    }
  }

  TokenBucket& bucket(Verb verb) { return verb == Verb::Create ? creates : others; }

  void take_token(const PendingPtr& pending) {
    const Duration wait = bucket(pending->call.verb).take(clock.monotonic());
    if (wait.count() == 0) return send(pending);
    ++delayed;
    loop->after(wait, [this, pending] { send(pending); });
  }

  void send(const PendingPtr& pending) {
    const auto identity =
        identity_or_park([this, pending] { send(pending); },
                         [this, pending](Failure failure) { on_failure(pending, std::move(failure)); });
    if (!identity) return;
    loop->send(request(pending->call, *identity), {.on_end = [this, pending, identity](http::StreamEnd end) {
                 on_end(pending, identity, std::move(end));
               }});
  }

  void on_end(const PendingPtr& pending, const std::shared_ptr<const Identity>& identity, http::StreamEnd end) {
    if (!end.reply) return on_failure(pending, failure_of_error(end.reply.error(), end.sent));
    http::Reply& reply = *end.reply;
    if (reply.status / 100 != 2) {
      if (reply.status == 401 && !pending->reauthorized) {
        pending->reauthorized = true;
        identities.rejected(identity);
        return send(pending);
      }
      if (reply.status == 429) on_throttled(pending->call, reply.headers);
      return on_failure(pending, failure_of_reply(reply.status, reply.headers, reply.body));
    }
    Answer answer;
    if (pending->call.raw) {
      answer.text = std::move(reply.body);
    } else {
      answer = parsed(reply.body);
    }
    finish(pending, std::move(answer));
  }

  void on_throttled(const ApiCall& call, const http::Headers& headers) {
    ++throttled;
    bucket(call.verb).slow_down(clock.monotonic());
    const auto text = [&](const char* name) {
      const auto it = headers.find(name);
      return it == headers.end() ? std::string() : it->second;
    };
    log.warn("the API server limits requests", {{"call", call.str()},
                                                {"flow_schema", text("X-Kubernetes-PF-FlowSchema-UID")},
                                                {"priority_level", text("X-Kubernetes-PF-PriorityLevel-UID")}});
  }

  void on_failure(const PendingPtr& pending, Failure failure) {
    const bool ambiguous = failure.kind == FailureKind::Interrupted || failure.kind == FailureKind::Overloaded;
    if (is_write(pending->call.verb) && ambiguous) pending->maybe_done = true;
    const auto delay = next_try(pending->call, failure, options.retry, pending->tries, rng);
    if (delay) {
      ++retries;
      log.debug("a call is tried again", {{"call", pending->call.str()}, {"error", failure.message}});
      loop->after(*delay, [this, pending] { take_token(pending); });
      return;
    }
    failure.maybe_done = pending->maybe_done;
    finish(pending, {.failure = std::move(failure)});
  }

  void finish(const PendingPtr& pending, Answer answer) {
    --in_flight;
    pump();
    pending->done(std::move(answer));
  }

  // --- Streams.

  void start(const StreamPtr& stream) {
    if (stream->closed) return;
    const auto identity = identity_or_park([this, stream] { start(stream); },
                                           [this, stream](Failure failure) { end_stream(stream, std::move(failure)); });
    if (!identity) return;
    http::StreamHandlers handlers;
    handlers.on_head = [stream](int status, const http::Headers&) {
      if (status == 200 && !stream->closed && stream->callbacks.on_open) stream->callbacks.on_open();
    };
    handlers.on_data = [stream](std::string_view bytes) {
      return stream->closed ? http::Flow::Stop : stream->callbacks.on_data(bytes);
    };
    handlers.on_end = [this, stream, identity](const http::StreamEnd& end) { on_stream_end(stream, identity, end); };
    stream->transfer = loop->send(request(stream->call, *identity), std::move(handlers));
  }

  void on_stream_end(const StreamPtr& stream, const std::shared_ptr<const Identity>& identity,
                     const http::StreamEnd& end) {
    if (!end.reply) return end_stream(stream, failure_of_error(end.reply.error(), end.sent));
    if (end.reply->status / 100 == 2) return end_stream(stream, std::nullopt);
    if (end.reply->status == 401 && !stream->reauthorized) {
      stream->reauthorized = true;
      identities.rejected(identity);
      return start(stream);
    }
    if (end.reply->status == 429) on_throttled(stream->call, end.reply->headers);
    end_stream(stream, failure_of_reply(end.reply->status, end.reply->headers, end.reply->body));
  }

  void end_stream(const StreamPtr& stream, std::optional<Failure> failure) {
    if (stream->closed.exchange(true)) return;
    {
      const std::lock_guard lock(mutex);
      std::erase_if(streams, [&](const auto& item) { return item.second == stream; });
    }
    stream->callbacks.on_end(std::move(failure));
  }

  [[nodiscard]] StreamPtr find_stream(http::StreamId id) {
    const std::lock_guard lock(mutex);
    const auto it = streams.find(id);
    return it == streams.end() ? nullptr : it->second;
  }

  const ClientConfig config;
  const ClientOptions options;
  const Clock& clock;
  const Logger log;
  const Target target;
  IdentityCache identities;

  std::string ca_pem;
  std::shared_ptr<const http::Tls> tls;
  TokenBucket creates;
  TokenBucket others;
  Rng rng;
  std::deque<PendingPtr> waiting;
  int in_flight = 0;
  std::vector<std::pair<std::function<void()>, std::function<void(Failure)>>> parked;

  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> retries{0};
  std::atomic<std::uint64_t> throttled{0};
  std::atomic<std::uint64_t> delayed{0};

  std::mutex mutex;
  std::condition_variable wanted;
  bool identity_wanted = false;
  bool stopping = false;
  std::map<http::StreamId, StreamPtr> streams;
  http::StreamId next_stream = 1;

  // Its end joins the thread that uses everything above, and this pointer, up to then: not to be reset.
  std::unique_ptr<http::Loop> loop;
  std::thread authority;
};

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::~Client() = default;

Result<std::unique_ptr<Client>> Client::create(const ClientConfig& config, ClientOptions options,
                                               const IdentityTools& tools, Logger log) {
  SLIPWAY_TRY_ASSIGN(Secret ca, read_pem(config.cluster.ca, "certificate-authority"));
  SLIPWAY_TRY_ASSIGN(auto source, make_identity_source(config, tools));
  return std::unique_ptr<Client>(new Client(std::make_unique<Impl>(config, std::move(options), tools.clock,
                                                                   std::move(source), std::move(ca), std::move(log))));
}

void Client::call(ApiCall call, std::function<void(Answer)> done) {
  SLIPWAY_ASSERT(call.verb != Verb::Watch);
  auto pending = std::make_shared<Pending>();
  pending->call = std::move(call);
  pending->done = std::move(done);
  impl_->loop->post([impl = impl_.get(), pending] { impl->admit(pending); });
}

Answer Client::call_and_wait(ApiCall call) {
  const bool raw = call.raw;
  call.raw = true;  // parsed here, not on the I/O thread
  auto waiter = std::make_shared<Waiter>();
  auto future = waiter->future();
  this->call(std::move(call), [waiter](Answer answer) { waiter->set(std::move(answer)); });
  waiter.reset();
  Answer answer = future.get();
  return answer && !raw ? parsed(answer.text) : answer;
}

http::StreamId Client::open(ApiCall call, StreamCallbacks callbacks) {
  auto stream = std::make_shared<OpenStream>();
  stream->call = std::move(call);
  stream->callbacks = std::move(callbacks);
  const std::lock_guard lock(impl_->mutex);
  const http::StreamId id = impl_->next_stream++;
  impl_->streams[id] = stream;
  impl_->loop->post([impl = impl_.get(), stream] { impl->start(stream); });
  return id;
}

void Client::close(http::StreamId id) {
  const StreamPtr stream = impl_->find_stream(id);
  if (!stream) return;
  stream->closed = true;
  const std::lock_guard lock(impl_->mutex);
  impl_->streams.erase(id);
  impl_->loop->post([impl = impl_.get(), stream] { impl->loop->cancel(stream->transfer); });
}

void Client::resume(http::StreamId id) {
  if (const StreamPtr stream = impl_->find_stream(id))
    impl_->loop->post([impl = impl_.get(), stream] { impl->loop->resume(stream->transfer); });
}

http::Loop& Client::loop() { return *impl_->loop; }
const std::string& Client::default_namespace() const { return impl_->config.namespace_name; }

ClientStats Client::stats() const { return {impl_->requests, impl_->retries, impl_->throttled, impl_->delayed}; }

}  // namespace slipway::kube
