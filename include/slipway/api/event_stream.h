// What the engine commits, told to everybody who listens: GET /events as server-sent events.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "slipway/base/result.h"
#include "slipway/base/time.h"
#include "slipway/engine/engine.h"
#include "slipway/http/later_reply.h"

namespace slipway::api {

struct EventStreamOptions {
  std::size_t kept_max = 10'000;                  // events that may be asked for again
  std::size_t listeners_max = 200;                // more: Unavailable
  std::size_t unsent_bytes_max = 1U << 20U;       // a listener who is further behind is cut off
  Duration kept_alone = std::chrono::minutes(1);  // how long events are kept when nobody listens any more
  Duration beat_every = std::chrono::seconds(15);
  // A listener is sent away after so long and comes back by itself, with a token that is looked at again.
  Duration listen_max = std::chrono::minutes(15);
};

// Thread-safe. Each event is a message with the id EPOCH-N, the kind of the event as its name, and the data
// {"run", "seq", "at", "event"}. A stream begins with `ready`; after an id that is not kept any more, or of an earlier
// daemon, with `reset`: the listener has missed something, and reads again what it shows.
class EventStream final : public engine::Observer {
 public:
  EventStream(const Clock& clock, EventStreamOptions options = {});
  ~EventStream() override;

  void on_committed(const std::vector<run::Event>& events) override;
  // `run`: only of this run; empty = of all. `last_id`: what the listener saw last; empty = from now on.
  [[nodiscard]] Result<std::shared_ptr<http::LaterReply>> listen(const RunId& run, const std::string& last_id);
  // Sends a comment to every listener, lest a proxy takes the connection for dead, and ends those that listened long
  // enough. To be called often; does something every `beat_every`.
  void beat();

 private:
  struct Kept {
    std::uint64_t number;
    RunId run;
    std::string message;
  };
  struct Listener {
    RunId run;
    MonoInstant until;
    std::shared_ptr<http::LaterReply> reply;
  };

  [[nodiscard]] std::string first_messages(const RunId& run, const std::string& last_id) const;
  [[nodiscard]] std::string id_of(std::uint64_t number) const { return epoch_ + "-" + std::to_string(number); }
  void add(const run::Event& event);

  const Clock& clock_;
  const EventStreamOptions options_;
  const std::string epoch_;  // of this daemon's life
  std::mutex mutex_;
  std::deque<Kept> kept_;            // guarded: what was committed since somebody listens, the newest
  std::uint64_t last_ = 0;           // guarded: number of the last event
  std::vector<Listener> listeners_;  // guarded
  MonoInstant beat_at_;              // guarded
  bool keeping_ = false;             // guarded
  MonoInstant heard_at_;             // guarded: when somebody listened last
};

}  // namespace slipway::api
