#include "ml/models/head.h"

#include <algorithm>

namespace slipway::ml {
namespace {

// Logits of one block: 256 MiB at most, but no less than 32 rows. Each block packs the whole head anew, twice, which
// takes as long as some 50 rows do.
constexpr std::int64_t kBlockLogits = 1 << 26;
constexpr std::int64_t kBlockRowsMin = 32;
constexpr std::int64_t kBlockRowsMax = 4096;

// Blocks of equal size.
std::int64_t block_rows(const ModelConfig& config, std::int64_t rows) {
  const std::int64_t most = std::clamp(kBlockLogits / config.vocab_size, kBlockRowsMin, kBlockRowsMax);
  const std::int64_t blocks = std::max<std::int64_t>(1, (rows + most - 1) / most);
  return (rows + blocks - 1) / blocks;
}

void block_loss(Pass& pass, Rows<float> x, std::span<const std::int32_t> labels, std::optional<float> scale,
                std::span<double> loss) {
  const ArenaScope scope(pass.arena());
  const auto& config = pass.config();
  const auto normed = pass.arena().rows(x.rows, x.cols);
  const auto logits = pass.arena().rows(x.rows, config.vocab_size);
  rms_norm(pass.compute, x, pass.weights.final_norm, config.norm_eps, normed);
  matmul(pass.compute, normed, pass.weights.head.t(), logits);
  cross_entropy(pass.compute, {.cap = config.final_softcap, .scale = scale.value_or(0), .gradient = scale.has_value()},
                labels, logits, loss);
  if (!scale) return;
  matmul(pass.compute, logits, pass.weights.head, normed);
  rms_norm_backward(pass.compute, x, pass.weights.final_norm, config.norm_eps, normed, x);
}

}  // namespace

std::size_t head_bytes(const ModelConfig& config, std::int64_t rows) {
  const std::int64_t floats = block_rows(config, rows) * (config.vocab_size + config.hidden_size);
  return static_cast<std::size_t>(floats) * sizeof(float);
}

LabelRows label_rows(std::span<const Sequence> batch) {
  LabelRows list;
  std::int64_t first = 0;
  for (const auto& sequence : batch) {
    SLIPWAY_ASSERT(sequence.labels.size() == sequence.ids.size());
    for (std::size_t t = 0; t + 1 < sequence.labels.size(); ++t) {
      if (sequence.labels[t + 1] == kIgnoreLabel) continue;
      list.rows.push_back(first + static_cast<std::int64_t>(t));
      list.labels.push_back(sequence.labels[t + 1]);
    }
    first += static_cast<std::int64_t>(sequence.ids.size());
  }
  return list;
}

void head_logits(Pass& pass, Rows<float> x, Rows<float> out) {
  rms_norm(pass.compute, x, pass.weights.final_norm, pass.config().norm_eps, x);
  matmul(pass.compute, x, pass.weights.head.t(), out,
         {.loop = pass.streamed ? GemmLoop::Streaming : GemmLoop::ByShape});
  softcap(pass.compute, pass.config().final_softcap, out);
}

std::vector<double> head_loss(Pass& pass, Rows<float> x, std::span<const std::int32_t> labels,
                              std::optional<float> scale) {
  std::vector<double> loss(labels.size());
  const std::int64_t block = block_rows(pass.config(), x.rows);
  for (std::int64_t first = 0; first < x.rows; first += block) {
    const std::int64_t count = std::min(block, x.rows - first);
    const auto at = static_cast<std::size_t>(first), size = static_cast<std::size_t>(count);
    block_loss(pass, x.slice(first, count), labels.subspan(at, size), scale, std::span(loss).subspan(at, size));
  }
  return loss;
}

}  // namespace slipway::ml
