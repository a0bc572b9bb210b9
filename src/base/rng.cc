#include "slipway/base/rng.h"

#include <bit>

#include "slipway/base/assert.h"

namespace slipway {

Rng::Rng(std::uint64_t seed) {
  // splitmix64 spreads any seed, zero included, over the state.
  for (auto& word : state_) {
    seed += 0x9e3779b97f4a7c15ULL;
    std::uint64_t mixed = (seed ^ (seed >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebULL;
    word = mixed ^ (mixed >> 31U);
  }
}

std::uint64_t Rng::next() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17U;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t Rng::below(std::uint64_t bound) {
  SLIPWAY_ASSERT(bound > 0);
  const std::uint64_t reject_below = (0 - bound) % bound;
  std::uint64_t draw = next();
  while (draw < reject_below) draw = next();
  return draw % bound;
}

double Rng::unit() { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }

}  // namespace slipway
