// A mirror of one collection: list, watch, resume, list again. Its cache is what the server last said, never less.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "slipway/base/enum_table.h"
#include "slipway/base/log.h"
#include "slipway/base/time.h"
#include "slipway/base/value.h"
#include "slipway/kube/client.h"

namespace slipway::kube {

enum class ChangeKind : unsigned char { Added, Modified, Removed };
inline constexpr EnumTable<ChangeKind, 3> kChangeKinds{{{
    {ChangeKind::Added, "added", "it was not known"},
    {ChangeKind::Modified, "modified", "it is another version of the same object"},
    {ChangeKind::Removed, "removed", "it is gone, or matches no longer"},
}}};

struct Change {
  ChangeKind kind = ChangeKind::Added;
  Value object;         // projected; of Removed the last state, from the event where there was one
  bool missed = false;  // Removed was found by listing again: its last states were never seen
};

struct ReflectorOptions {
  ObjectPath collection;
  std::string label_selector;
  std::string field_selector;
  // What is kept of an object; metadata's name, namespace, uid and resourceVersion always are. Empty: everything but
  // metadata.managedFields.
  std::function<Value(Value object)> project;
  int page = 500;
  Duration watch_shortest = std::chrono::seconds(300);  // each lasts a random time between the two
  Duration watch_longest = std::chrono::seconds(600);
  Duration relist_every = std::chrono::minutes(10);  // at the end of a watch
  Duration backoff_first = std::chrono::milliseconds(800);
  Duration backoff_longest = std::chrono::seconds(30);
  Duration healthy_after = std::chrono::minutes(2);  // then the back-off begins anew
  Duration short_watch = std::chrono::seconds(1);    // one that ends sooner without an event has failed
  std::size_t line_bytes_max = 8U << 20U;
  std::size_t buffer_bytes_max = 4U << 20U;  // read but not yet taken up; more waits in the socket
};

// Called on the reflector's own thread, one call at a time; may block, which delays the mirror only.
struct ReflectorCallbacks {
  std::function<void(const Change&)> on_change;
  std::function<void()> on_synced;                 // after each complete list
  std::function<void(const Failure&)> on_failure;  // listing or watching failed; it goes on by itself
};

struct ReflectorStats {
  std::uint64_t lists = 0;
  std::uint64_t watches = 0;
  std::uint64_t events = 0;
  std::uint64_t expired = 0;  // 410
  std::uint64_t failures = 0;
};

class Reflector {
 public:
  // `client` and `clock` outlive it.
  Reflector(Client& client, const Clock& clock, ReflectorOptions options, ReflectorCallbacks callbacks,
            std::uint64_t seed, const Logger& log);
  // Ends the thread; waits for a running callback.
  ~Reflector();

  // A list was complete; stays so through broken watches. Thread-safe, as all below.
  [[nodiscard]] bool synced() const;
  // "namespace/name"; nothing if unknown.
  [[nodiscard]] std::optional<Value> find(std::string_view key) const;
  [[nodiscard]] std::vector<Value> objects() const;
  // Lists again soon instead of waiting for the watch's end.
  void relist();
  [[nodiscard]] ReflectorStats stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway::kube
