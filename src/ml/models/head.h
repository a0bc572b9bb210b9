// From the last layer's rows to logits and loss, in blocks of a bounded number of logits. The last layer computes only
// the rows that are asked for, so every row here counts.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "ml/models/pass.h"

namespace slipway::ml {

// The rows of a packed batch that learn something, ascending, and what.
struct LabelRows {
  std::vector<std::int64_t> rows;
  std::vector<std::int32_t> labels;
};
// Labels shifted by one: row t of a sequence learns labels[t + 1], unless that is kIgnoreLabel.
[[nodiscard]] LabelRows label_rows(std::span<const Sequence> batch);

// Capped logits of x [R, h] to out [R, V]. x is used up.
void head_logits(Pass& pass, Rows<float> x, Rows<float> out);

// Loss of each row of x [R, h]. With `scale`, x becomes d(scale sum(loss))/dx; else it is left alone.
[[nodiscard]] std::vector<double> head_loss(Pass& pass, Rows<float> x, std::span<const std::int32_t> labels,
                                            std::optional<float> scale);

// Memory that head_loss takes for so many rows.
[[nodiscard]] std::size_t head_bytes(const ModelConfig& config, std::int64_t rows);

}  // namespace slipway::ml
