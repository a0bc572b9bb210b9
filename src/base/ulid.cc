#include "slipway/base/ulid.h"

#include <algorithm>

#include "slipway/base/assert.h"

namespace slipway {
namespace {

constexpr std::string_view kDigits = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr std::size_t kTimeDigits = 10;
constexpr std::size_t kRandomDigits = 16;

// The next text of the same length.
std::string successor(std::string text) {
  for (auto digit = text.rbegin(); digit != text.rend(); ++digit) {
    const auto value = kDigits.find(*digit);
    *digit = kDigits[(value + 1) % kDigits.size()];
    if (value + 1 < kDigits.size()) break;
  }
  return text;
}

}  // namespace

RunId make_run_id(Instant at, Rng& rng, const RunId& previous) {
  SLIPWAY_ASSERT(at >= Instant{} && (previous.empty() || is_run_id(previous.str())));
  auto millis =
      static_cast<std::uint64_t>(std::chrono::floor<std::chrono::milliseconds>(at).time_since_epoch().count());
  std::string text(kTimeDigits + kRandomDigits, '0');
  for (std::size_t i = kTimeDigits; i-- > 0; millis >>= 5U) text[i] = kDigits[millis & 31U];
  for (std::size_t i = 0; i < kRandomDigits; ++i) text[kTimeDigits + i] = kDigits[rng.below(kDigits.size())];
  return RunId(text > previous.str() ? std::move(text) : successor(previous.str()));
}

bool is_run_id(std::string_view text) {
  return text.size() == kTimeDigits + kRandomDigits && text.front() <= '7' &&
         std::all_of(text.begin(), text.end(), [](char c) { return kDigits.find(c) != std::string_view::npos; });
}

}  // namespace slipway
