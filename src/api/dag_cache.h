// Parsed DAG versions, so that a request does not parse again what an earlier one did.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "slipway/dag/dag.h"
#include "slipway/store/store.h"

namespace slipway::api {

// Thread-safe.
class DagCache final {
 public:
  // nullptr if the version is not stored or no longer parses: replies then leave out what needs it.
  [[nodiscard]] std::shared_ptr<const dag::Dag> get(store::Reader& reader, const VersionId& version);

 private:
  // Above it the cache is emptied: simpler than counting uses, and one parse costs about a millisecond.
  static constexpr std::size_t kEntriesMax = 8'192;

  std::mutex mutex_;
  std::map<VersionId, std::shared_ptr<const dag::Dag>> entries_;  // guarded by mutex_
  std::string zones_;  // guarded by mutex_; stamp of the zone data that the entries were read with
};

}  // namespace slipway::api
