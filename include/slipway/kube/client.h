// Requests to one API server: credentials, limits, retries. One I/O thread, any number of callers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "slipway/base/log.h"
#include "slipway/base/time.h"
#include "slipway/http/loop.h"
#include "slipway/kube/api.h"
#include "slipway/kube/credentials.h"

namespace slipway::kube {

struct RetryPolicy {
  int transient_max = 5;   // tries again after Unreachable, Interrupted, Overloaded
  int throttled_max = 10;  // after 429
  int conflict_max = 3;    // of a create that met the quota's own race
  Duration first = std::chrono::milliseconds(250);
  Duration longest = std::chrono::seconds(10);
  Duration retry_after_longest = std::chrono::minutes(2);  // what a server may ask for
};

// Creates have a bucket of their own, so that writes for running work do not wait behind them.
struct RateLimit {
  double per_second = 100;
  double burst = 200;
};

struct ClientOptions {
  std::string user_agent = "slipway";
  RetryPolicy retry;
  RateLimit creates;
  RateLimit others;
  int in_flight_max = 90;    // calls without an answer, streams aside: what one HTTP/2 connection carries; more wait
  int waiting_max = 20'000;  // calls that wait for that, for the bucket or for credentials; more fail at once
  Duration stall_limit = std::chrono::seconds(150);  // of a watch: two bookmarks and more
  std::size_t reply_bytes_max = 64U << 20U;
  std::uint64_t seed = 1;  // of the jitter
};

struct StreamCallbacks {
  std::function<void()> on_open;                               // the server answered 200
  std::function<http::Flow(std::string_view bytes)> on_data;   // as http::StreamHandlers
  std::function<void(std::optional<Failure> failure)> on_end;  // once, unless cancelled; nothing: the server closed it
};

struct ClientStats {
  std::uint64_t requests = 0;  // sent, with tries
  std::uint64_t retries = 0;
  std::uint64_t throttled = 0;  // 429
  std::uint64_t delayed = 0;    // waited for the bucket
};

// Thread-safe. Functions are called on the I/O thread and may not block.
class Client {
 public:
  // The source of `config` is asked for credentials when the first request needs them, on a thread of its own.
  [[nodiscard]] static Result<std::unique_ptr<Client>> create(const ClientConfig& config, ClientOptions options,
                                                              const IdentityTools& tools, Logger log);
  // Calls in work end without an answer; those that are waited for end as Interrupted. Waits for a plugin that runs.
  ~Client();

  // `done` once, with the answer of the last try.
  void call(ApiCall call, std::function<void(Answer)> done);
  // Waits for it. Not to be called on the I/O thread.
  [[nodiscard]] Answer call_and_wait(ApiCall call);

  // A watch or a log, on a connection of its own and outside the rate limits. One try: who reads it knows where to
  // resume; but a 401 is answered with new credentials once.
  http::StreamId open(ApiCall call, StreamCallbacks callbacks);
  void close(http::StreamId id);
  void resume(http::StreamId id);

  [[nodiscard]] http::Loop& loop();
  [[nodiscard]] const std::string& default_namespace() const;
  [[nodiscard]] ClientStats stats() const;

 private:
  struct Impl;
  explicit Client(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway::kube
