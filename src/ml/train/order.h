// Which samples each optimizer step takes. Everything here is a function of (lengths, settings, seed), so that a
// resumed training sees exactly the samples it would have seen, with no generator state to save.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ml/train/schedule.h"
#include "slipway/ml/trainer.h"

namespace slipway::ml {

// A permutation of 0 … lengths.size() − 1: file order without shuffling; else shuffled by (seed, epoch); with
// group_by_length cut into chunks of up to 50 steps' samples, each sorted by length falling, the longest sample first
// of all (so that an out-of-memory shows at once). transformers trainer_pt_utils.py, get_length_grouped_indices.
[[nodiscard]] std::vector<std::uint32_t> epoch_order(std::span<const std::uint32_t> lengths,
                                                     const TrainSettings& settings, std::int64_t epoch);

// Gives the samples of any step in any order; keeps the two epochs in use. Not thread-safe.
class StepOrder {
 public:
  // `lengths` (tokens per sample) must outlive this.
  StepOrder(std::span<const std::uint32_t> lengths, const TrainSettings& settings, const StepPlan& plan);

  // Sample indexes of step k = 0, 1, …; never empty.
  [[nodiscard]] std::vector<std::uint32_t> samples(std::int64_t k);

 private:
  const std::vector<std::uint32_t>& epoch(std::int64_t number);

  std::span<const std::uint32_t> lengths_;
  TrainSettings settings_;
  StepPlan plan_;
  std::int64_t cached_ = -1;
  std::vector<std::uint32_t> order_;
};

}  // namespace slipway::ml
