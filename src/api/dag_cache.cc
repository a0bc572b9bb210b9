#include "api/dag_cache.h"

#include "slipway/dag/parse.h"
#include "slipway/dag/zone_data.h"

namespace slipway::api {

std::shared_ptr<const dag::Dag> DagCache::get(store::Reader& reader, const VersionId& version) {
  {
    const std::lock_guard lock(mutex_);
    if (std::string zones = dag::zone_data_stamp(); zones != zones_) {
      zones_ = std::move(zones);
      entries_.clear();
    }
    if (const auto found = entries_.find(version); found != entries_.end()) return found->second;
  }
  const auto stored = reader.get_version(version);
  if (!stored) return nullptr;
  auto parsed = dag::parse({stored->file, stored->text}, stored->files);
  auto entry = parsed.value ? std::make_shared<const dag::Dag>(*std::move(parsed.value)) : nullptr;
  const std::lock_guard lock(mutex_);
  if (entries_.size() >= kEntriesMax) entries_.clear();
  return entries_.emplace(version, std::move(entry)).first->second;
}

}  // namespace slipway::api
