#include "ml/train/order.h"

#include <algorithm>
#include <numeric>

#include "slipway/base/assert.h"
#include "slipway/base/rng.h"

namespace slipway::ml {
namespace {

constexpr std::size_t kGroupStepsMax = 50;

void shuffle(std::vector<std::uint32_t>& order, Rng rng) {
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);
}

void group(std::vector<std::uint32_t>& order, std::span<const std::uint32_t> lengths, std::size_t samples_per_step) {
  const std::size_t steps = std::clamp<std::size_t>(order.size() / (4 * samples_per_step), 1, kGroupStepsMax);
  const std::size_t chunk = steps * samples_per_step;
  std::size_t longest = 0;
  for (std::size_t begin = 0; begin < order.size(); begin += chunk) {
    const auto first = order.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto last = order.begin() + static_cast<std::ptrdiff_t>(std::min(begin + chunk, order.size()));
    std::stable_sort(first, last, [&](std::uint32_t a, std::uint32_t b) { return lengths[a] > lengths[b]; });
    if (lengths[order[begin]] > lengths[order[longest]]) longest = begin;
  }
  std::swap(order[0], order[longest]);
}

}  // namespace

std::vector<std::uint32_t> epoch_order(std::span<const std::uint32_t> lengths, const TrainSettings& settings,
                                       std::int64_t epoch) {
  std::vector<std::uint32_t> order(lengths.size());
  std::iota(order.begin(), order.end(), 0U);
  if (!settings.shuffle || order.empty()) return order;
  shuffle(order, Rng(settings.seed * 0x9e3779b97f4a7c15ULL + static_cast<std::uint64_t>(epoch)));
  if (settings.group_by_length)
    group(order, lengths,
          static_cast<std::size_t>(settings.batch_size) * static_cast<std::size_t>(settings.accumulation));
  return order;
}

StepOrder::StepOrder(std::span<const std::uint32_t> lengths, const TrainSettings& settings, const StepPlan& plan)
    : lengths_(lengths), settings_(settings), plan_(plan) {
  SLIPWAY_ASSERT(!lengths.empty());
}

const std::vector<std::uint32_t>& StepOrder::epoch(std::int64_t number) {
  if (cached_ != number) order_ = epoch_order(lengths_, settings_, number);
  cached_ = number;
  return order_;
}

std::vector<std::uint32_t> StepOrder::samples(std::int64_t k) {
  std::vector<std::uint32_t> chosen;
  if (plan_.carry_leftover) {
    for (std::int64_t at = k * plan_.samples_per_step; at < (k + 1) * plan_.samples_per_step; ++at)
      chosen.push_back(epoch(at / plan_.samples)[static_cast<std::size_t>(at % plan_.samples)]);
    return chosen;
  }
  const auto& order = epoch(k / plan_.steps_per_epoch);
  const std::int64_t begin = (k % plan_.steps_per_epoch) * plan_.samples_per_step;
  const std::int64_t end = std::min(begin + plan_.samples_per_step, plan_.samples);
  chosen.assign(order.begin() + begin, order.begin() + end);
  return chosen;
}

}  // namespace slipway::ml
