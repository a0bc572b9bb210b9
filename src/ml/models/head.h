// From the last layer's rows to logits and loss. Only rows that are asked for are multiplied by the head, in blocks of
// a bounded number of logits.
#pragma once

#include <span>
#include <vector>

#include "ml/models/pass.h"

namespace slipway::ml {

// Row `row` of the pass learns `label`.
struct LabelRow {
  std::int64_t row = 0;
  std::int32_t label = 0;
};
// Labels shifted by one: row t of a sequence learns labels[t + 1], unless that is kIgnoreLabel.
[[nodiscard]] std::vector<LabelRow> label_rows(std::span<const Sequence> batch);

// Logits (capped) of the given rows of x [T, h] to out [rows.size(), V].
void head_logits(Pass& pass, Rows<const float> x, std::span<const std::int64_t> rows, Rows<float> out);

// Loss of each label row. If dx has rows, it becomes d(scale sum(loss))/dx: [T, h], zero where there is no label.
[[nodiscard]] std::vector<double> head_loss(Pass& pass, Rows<const float> x, std::span<const LabelRow> labels,
                                            float scale, Rows<float> dx);

}  // namespace slipway::ml
