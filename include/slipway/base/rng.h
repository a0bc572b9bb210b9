// A small deterministic generator (xoshiro256**), so that simulations and jitter replay from a seed.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace slipway {

class Rng {
 public:
  explicit Rng(std::uint64_t seed);

  std::uint64_t next();
  // Uniform in [0, bound), without bias; bound > 0.
  std::uint64_t below(std::uint64_t bound);
  // Uniform in [0, 1), 53 bits.
  double unit();
  bool chance(double probability) { return unit() < probability; }

 private:
  std::array<std::uint64_t, 4> state_{};
};

// 64 bits of the kernel's entropy. For ids and seeds, made once at the edge and passed in.
[[nodiscard]] std::uint64_t entropy();

// FNV-1a, 64 bits: for jitter and shard choice, never for security.
[[nodiscard]] constexpr std::uint64_t stable_hash(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

}  // namespace slipway
