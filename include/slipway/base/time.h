// Instants, durations and the clock. Wall and monotonic time are different types. Only base/system_clock.cc reads the
// machine's clocks; everything else is given a Clock or, better, an instant.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "slipway/base/result.h"

namespace slipway {

using Duration = std::chrono::microseconds;
using Instant = std::chrono::sys_time<Duration>;                                   // wall clock, UTC
using MonoInstant = std::chrono::time_point<std::chrono::steady_clock, Duration>;  // CLOCK_BOOTTIME

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Instant now() const = 0;
  [[nodiscard]] virtual MonoInstant monotonic() const = 0;
  // Names the boot of the machine that monotonic() counts from: instants of two boots cannot be compared.
  [[nodiscard]] virtual std::uint64_t boot() const { return 1; }
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override;
  [[nodiscard]] MonoInstant monotonic() const override;
  [[nodiscard]] std::uint64_t boot() const override;  // reads a file of the kernel
};

// "2024-11-01T00:00:00.000000Z": RFC 3339, UTC, always six digits, sorts as text.
[[nodiscard]] std::string to_rfc3339(Instant instant);
// RFC 3339 with any offset and up to nine fractional digits (cut to six), or a date alone ("2024-11-01" = midnight
// UTC).
[[nodiscard]] Result<Instant> parse_rfc3339(std::string_view text);

// "90s", "10m", "1h30m", "2d", "500ms", "1.5h": units in falling order, each at most once, no sign, no spaces.
[[nodiscard]] Result<Duration> parse_duration(std::string_view text);
// The exact form parse_duration reads back: "1h30m", "0s", "1s500ms".
[[nodiscard]] std::string to_text(Duration duration);
// Seconds with fraction, as JSON bodies give durations.
[[nodiscard]] double to_seconds(Duration duration);

[[nodiscard]] constexpr std::int64_t to_micros(Instant instant) { return instant.time_since_epoch().count(); }
[[nodiscard]] constexpr Instant from_micros(std::int64_t micros) { return Instant(Duration(micros)); }

}  // namespace slipway
