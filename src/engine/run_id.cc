#include "engine/run_id.h"

#include <algorithm>

namespace slipway::engine {
namespace {

constexpr std::string_view kAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";  // Crockford's base32
constexpr std::size_t kLength = 26;

}  // namespace

void RunIdMaker::continue_after(const RunId& id) {
  if (id.str().size() != kLength) return;
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  for (const char c : id.str()) {
    const auto digit = kAlphabet.find(c);
    if (digit == std::string_view::npos) return;
    high = (high << 5U) | (low >> 59U);
    low = (low << 5U) | digit;
  }
  if (std::pair(high, low) > std::pair(high_, low_)) {
    high_ = high;
    low_ = low;
  }
}

RunId RunIdMaker::next(Instant now) {
  const auto millis = static_cast<std::uint64_t>(std::max<std::int64_t>(0, to_micros(now) / 1'000));
  if (millis > high_ >> 16U) {
    const std::uint64_t random = rng_.next();
    high_ = (millis << 16U) | (random & 0xffffU);
    low_ = rng_.next();
  } else if (++low_ == 0) {
    ++high_;
  }
  std::string text(kLength, '0');
  std::uint64_t high = high_;
  std::uint64_t low = low_;
  for (std::size_t i = kLength; i-- > 0;) {
    text[i] = kAlphabet[low & 31U];
    low = (low >> 5U) | (high << 59U);
    high >>= 5U;
  }
  return RunId(std::move(text));
}

}  // namespace slipway::engine
