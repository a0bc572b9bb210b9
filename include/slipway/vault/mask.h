// Replaces secrets in a stream of bytes, whatever pieces the stream arrives in.
#pragma once

#include <array>
#include <cstddef>
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

  // Overlapping secrets are masked whole. Also masks what a secret looks like escaped in JSON, percent-encoded, and
  // inside base64 at any alignment.
  explicit Masker(const std::vector<Secret>& secrets);

  // The masked form of what is settled so far. The end of `bytes` is held back while it may be the start of a secret.
  [[nodiscard]] std::string feed(std::string_view bytes);
  // What was held back; the stream is over.
  [[nodiscard]] std::string finish();

 private:
  struct Seen {
    std::size_t matched = 0;  // length of the longest pattern that stands here
    bool open = false;        // a longer one may still be completed by what follows
  };
  [[nodiscard]] Seen look(std::string_view rest) const;
  [[nodiscard]] std::string take(bool last);

  std::vector<Secret> patterns_;    // longest first
  std::array<bool, 256> begins_{};  // by byte: whether a pattern begins with it
  std::string pending_;
  std::size_t covered_ = 0;  // how much of the front of pending_ belongs to a secret that was masked already
};

}  // namespace slipway::vault
