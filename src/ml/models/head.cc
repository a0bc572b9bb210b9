#include "ml/models/head.h"

#include <algorithm>
#include <cstring>

namespace slipway::ml {
namespace {

// Logits of one block: 64 MiB, but no less than 32 rows, below which reading the head dominates.
constexpr std::int64_t kBlockLogits = 1 << 24;
constexpr std::int64_t kBlockRowsMin = 32;
constexpr std::int64_t kBlockRowsMax = 4096;

std::int64_t block_rows(const ModelConfig& config) {
  return std::clamp(kBlockLogits / config.vocab_size, kBlockRowsMin, kBlockRowsMax);
}

void copy_row(const float* from, float* to, std::int64_t cols) {
  std::memcpy(to, from, static_cast<std::size_t>(cols) * sizeof(float));
}

// Loss, and gradient if dx has rows, of a block of label rows.
void block_loss(Pass& pass, Rows<const float> x, std::span<const LabelRow> labels, float scale, Rows<float> dx,
                std::span<double> loss) {
  const ArenaScope scope(pass.arena());
  const auto& config = pass.config();
  const auto count = static_cast<std::int64_t>(labels.size());
  const auto picked = pass.arena().rows(count, x.cols), normed = pass.arena().rows(count, x.cols);
  std::vector<std::int32_t> wanted;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto [row, label] = labels[static_cast<std::size_t>(i)];
    copy_row(x.row(row), picked.row(i), x.cols);
    wanted.push_back(label);
  }
  rms_norm(pass.compute, picked, pass.weights.final_norm, config.norm_eps, normed);
  const auto logits = pass.arena().rows(count, config.vocab_size);
  matmul(pass.compute, normed, pass.weights.head.t(), logits);
  cross_entropy(pass.compute, {.cap = config.final_softcap, .scale = scale, .gradient = dx.rows > 0}, wanted, logits,
                loss);
  if (dx.rows == 0) return;
  matmul(pass.compute, logits, pass.weights.head, normed);
  rms_norm_backward(pass.compute, picked, pass.weights.final_norm, config.norm_eps, normed, normed);
  for (std::int64_t i = 0; i < count; ++i)
    copy_row(normed.row(i), dx.row(labels[static_cast<std::size_t>(i)].row), x.cols);
}

}  // namespace

std::vector<LabelRow> label_rows(std::span<const Sequence> batch) {
  std::vector<LabelRow> rows;
  std::int64_t first = 0;
  for (const auto& sequence : batch) {
    SLIPWAY_ASSERT(sequence.labels.size() == sequence.ids.size());
    for (std::size_t t = 0; t + 1 < sequence.labels.size(); ++t)
      if (sequence.labels[t + 1] != kIgnoreLabel)
        rows.push_back({first + static_cast<std::int64_t>(t), sequence.labels[t + 1]});
    first += static_cast<std::int64_t>(sequence.ids.size());
  }
  return rows;
}

void head_logits(Pass& pass, Rows<const float> x, std::span<const std::int64_t> rows, Rows<float> out) {
  const ArenaScope scope(pass.arena());
  const auto normed = pass.arena().rows(static_cast<std::int64_t>(rows.size()), x.cols);
  for (std::size_t i = 0; i < rows.size(); ++i)
    copy_row(x.row(rows[i]), normed.row(static_cast<std::int64_t>(i)), x.cols);
  rms_norm(pass.compute, normed, pass.weights.final_norm, pass.config().norm_eps, normed);
  matmul(pass.compute, normed, pass.weights.head.t(), out);
  softcap(pass.compute, pass.config().final_softcap, out);
}

std::vector<double> head_loss(Pass& pass, Rows<const float> x, std::span<const LabelRow> labels, float scale,
                              Rows<float> dx) {
  for (std::int64_t r = 0; r < dx.rows; ++r) std::fill_n(dx.row(r), dx.cols, 0.0F);
  std::vector<double> loss(labels.size());
  const auto block = static_cast<std::size_t>(block_rows(pass.config()));
  for (std::size_t first = 0; first < labels.size(); first += block) {
    const std::size_t count = std::min(block, labels.size() - first);
    block_loss(pass, x, labels.subspan(first, count), scale, dx, std::span(loss).subspan(first, count));
  }
  return loss;
}

}  // namespace slipway::ml
