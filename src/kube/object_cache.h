// What a collection holds, as the server last told, and what changes when it tells more; pure.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kube/watch_lines.h"
#include "slipway/kube/reflector.h"

namespace slipway::kube {

class ObjectCache {
 public:
  // What a callback is told is what `project` leaves.
  explicit ObjectCache(std::function<Value(Value)> project) : project_(std::move(project)) {}

  // A complete list. What is missing from it is Removed and `missed`; another uid under a known name is Removed, then
  // Added; the same version is no change.
  [[nodiscard]] std::vector<Change> replace(std::vector<Value> objects);
  // An event that is neither a bookmark nor an error. DELETED of an unknown object, or of another uid than the known
  // one, is no change.
  [[nodiscard]] std::vector<Change> apply(EventType type, Value object);

  [[nodiscard]] const std::map<std::string, Value, std::less<>>& objects() const { return objects_; }

 private:
  [[nodiscard]] Value projected(Value object) const;
  void put(std::string key, Value object, std::vector<Change>& changes);

  std::function<Value(Value)> project_;
  std::map<std::string, Value, std::less<>> objects_;  // by "namespace/name"
};

// "namespace/name"; without a namespace "/name".
[[nodiscard]] std::string key_of(const Value& object);

}  // namespace slipway::kube
