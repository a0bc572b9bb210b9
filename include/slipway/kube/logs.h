// What a container prints, every line once, through cuts.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "slipway/base/enum_table.h"
#include "slipway/base/time.h"
#include "slipway/kube/client.h"

namespace slipway::kube {

struct LogLine {
  std::string_view stamp;  // the kubelet's, RFC 3339 with nanoseconds
  std::string_view text;   // without the line break
  bool partial = false;    // no line break follows: the line goes on, or is the container's last
};

// Where we are in a log. Asking again for the last whole second gives lines we have: as many equal ones as were stored
// of that second are dropped. Who keeps lines with their stamps can make it anew from the file's end.
class LogCursor {
 public:
  static constexpr std::size_t kLineBytesMax = 1U << 20U;  // longer ones are cut into several of the same stamp
  using Emit = std::function<void(const LogLine&)>;

  // A line that is stored already, in order; for a restart.
  void stored(const LogLine& line);
  // sinceTime of the next request; empty: from the beginning.
  [[nodiscard]] std::string since() const;
  // A new request for since() is read from here on; an unfinished line of the last one is dropped, it comes again.
  void begin();
  // Bytes of the reply. `emit` gets each complete line that is new. A line without a stamp is the kubelet's own word,
  // not the container's, and is passed over.
  void take(std::string_view bytes, const Emit& emit);
  // The container has ended and the reply was whole: an unfinished line is a line.
  void finish(const Emit& emit);

 private:
  [[nodiscard]] bool is_new(const LogLine& line);
  void put(std::string_view whole, bool partial, const Emit& emit);
  void cut(const Emit& emit);

  std::optional<Instant> second_;       // of the newest line, cut to the second
  std::optional<Instant> asked_;        // what the running request asked for
  std::map<std::string, int> held_;     // lines of that second by digest, with their number
  std::map<std::string, int> to_drop_;  // of those, what the running reply has not repeated yet
  std::string partial_;
};

enum class LogEnd : unsigned char { Complete, StreamEnded, PodGone, Refused };
inline constexpr EnumTable<LogEnd, 4> kLogEnds{{{
    {LogEnd::Complete, "complete", "the container ended and everything it printed was read"},
    {LogEnd::StreamEnded, "stream-ended", "the node ended the log, and the pod went before it could be asked"},
    {LogEnd::PodGone, "pod-gone", "the pod went first: the end may be missing"},
    {LogEnd::Refused, "refused", "the server does not give it, and will not: the failure says why"},
}}};

struct LogFollowOptions {
  ObjectPath pod;
  std::string uid;  // of the pod meant; another by its name is PodGone
  std::string container = "main";
  Duration backoff_first = std::chrono::milliseconds(500);
  Duration backoff_longest = std::chrono::seconds(30);
};

struct LogFollowCallbacks {
  std::function<void(const LogLine&)> on_line;
  std::function<void(LogEnd, const std::optional<Failure>&)> on_end;  // once
};

// Follows from `cursor` on, asks again after every cut, ends after the container. Called on the client's I/O thread.
class LogFollower {
 public:
  // `client` outlives it.
  LogFollower(Client& client, LogFollowOptions options, LogCursor cursor, LogFollowCallbacks callbacks);
  // Nothing is called any more once it has returned. Not to be called on the I/O thread.
  ~LogFollower();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace slipway::kube
