#include "engine/patience.h"

#include <algorithm>

namespace slipway::engine {
namespace {

// What is shown of a run is late by this much at most.
constexpr Duration kStartLies = std::chrono::milliseconds(20);
constexpr Duration kResultLies = std::chrono::milliseconds(10);
constexpr std::size_t kResultsMax = 16;

}  // namespace

Haste haste_of(const exec::Report& report, const std::set<RunId>& patient) {
  if (std::holds_alternative<exec::Launched>(report) || std::holds_alternative<exec::Running>(report))
    return Haste::Start;
  const auto* exited = std::get_if<exec::Exited>(&report);
  const bool good = exited != nullptr && exited->exit_code == 0;
  return good && patient.count(exited->id.run) > 0 ? Haste::Result : Haste::Now;
}

bool may_be_patient(std::size_t open_attempts, int slots) {
  return open_attempts > 2 * kResultsMax + static_cast<std::size_t>(std::max(slots, 0));
}

void Patience::add(Haste haste) {
  now_ = now_ || haste == Haste::Now;
  if (haste == Haste::Result) ++results_;
}

Duration Patience::left() const {
  if (now_ || results_ >= kResultsMax) return Duration(0);
  return results_ > 0 ? kResultLies : kStartLies;
}

}  // namespace slipway::engine
