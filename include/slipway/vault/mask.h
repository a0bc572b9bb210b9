// Replaces secrets in a stream of bytes, whatever pieces the stream arrives in.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "slipway/base/secret.h"

namespace slipway::vault {

class Masker final {
 public:
  static constexpr std::string_view kMask = "***";
  // Shorter values are not masked: one letter would mask every such letter, which shows it again.
  static constexpr std::size_t kShortest = 6;

  // Also masks what a secret looks like escaped in JSON, percent-encoded, and inside base64 at any alignment.
  explicit Masker(const std::vector<Secret>& secrets);

  // The masked form of what is settled so far. The end of `bytes` is held back while it may be the start of a secret.
  [[nodiscard]] std::string feed(std::string_view bytes);
  // What was held back; the stream is over.
  [[nodiscard]] std::string finish();

 private:
  [[nodiscard]] std::string take(bool last);

  std::vector<Secret> patterns_;  // longest first
  std::string pending_;
};

}  // namespace slipway::vault
