// Any text is read as cron or refused; what is read has ticks both ways, and they agree.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "slipway/base/assert.h"
#include "slipway/dag/schedule.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::dag;
  static const TimeZone kZone = load_time_zone("Europe/Paris").value_or(TimeZone());
  auto cron = parse_cron(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!cron) {
    SLIPWAY_ASSERT(!cron.error().message.empty() && !cron.error().help.empty());
    return 0;
  }
  Schedule schedule;
  schedule.cron = *std::move(cron);
  schedule.zone = kZone;
  const slipway::Instant from = std::chrono::sys_days(std::chrono::year(2024) / 3 / 30);
  const auto first = next_tick(schedule, from);
  SLIPWAY_ASSERT(first && *first > from);
  const auto second = next_tick(schedule, *first);
  SLIPWAY_ASSERT(second && *second > *first && previous_tick(schedule, *second) == first);
  return 0;
}
