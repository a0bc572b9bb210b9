// A daemon's life from a seed: random DAGs and commands, a machine that misbehaves, and deaths of the daemon between
// any two steps and at every effect. Everything is replayed exactly by the same seed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "slipway/store/store.h"

namespace slipway::sim {

struct Outcome {
  std::string violation;  // empty: every invariant held and every run ended
  std::uint64_t events = 0;
  std::uint64_t runs = 0;
  std::uint64_t deaths = 0;
  std::uint64_t attempts = 0;
};

// Opens the store of this simulation; called again after every death of the daemon.
using OpenStore = std::function<std::unique_ptr<store::Store>()>;

[[nodiscard]] Outcome simulate(std::uint64_t seed, const OpenStore& open, bool trace);

}  // namespace slipway::sim
