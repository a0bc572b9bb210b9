#include "engine/pace.h"

#include <algorithm>

namespace slipway::engine {
namespace {

constexpr Duration kAhead = std::chrono::milliseconds(50);
constexpr int kMemory = 4;

}  // namespace

void Pace::add(Duration took) { usual_ = std::max(took, usual_ - (usual_ - took) / kMemory); }

int Pace::ahead(int slots, int most) const {
  if (usual_ > kAhead) return 0;
  const auto fit = kAhead.count() * slots / std::max<std::int64_t>(usual_.count(), 1);
  return static_cast<int>(std::min<std::int64_t>(fit, most));
}

}  // namespace slipway::engine
