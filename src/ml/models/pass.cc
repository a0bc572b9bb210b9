#include "ml/models/pass.h"

#include <algorithm>
#include <numeric>

namespace slipway::ml {
namespace {

void append_rows(Pass& pass, std::span<const std::int32_t> ids) {
  pass.sequences.push_back({pass.rows(), static_cast<std::int64_t>(ids.size())});
  pass.ids.insert(pass.ids.end(), ids.begin(), ids.end());
}

void fill_rope(Pass& pass, std::span<const std::int32_t> positions) {
  const auto rows = static_cast<std::int64_t>(positions.size()), half = pass.config().head_dim / 2;
  const auto table_of = [&](const Rope& rope, std::span<const float> frequencies) {
    const RopeTable table{pass.arena().rows(rows, half), pass.arena().rows(rows, half)};
    fill_rope_table(pass.compute, frequencies, static_cast<float>(rope.attention_factor), positions, table);
    return table;
  };
  pass.rope = table_of(pass.config().rope, pass.weights.inverse_frequencies);
  if (const auto& local = pass.config().local_rope)
    pass.local_rope = table_of(*local, pass.weights.local_inverse_frequencies);
}

bool turns_by_its_length(const Rope& rope, const Sequence& sequence) {
  return rope.scaling == RopeScaling::Dynamic && std::ssize(sequence.ids) > rope.original_context;
}

// One table row per position, which sequences share; but a text with angles of its own has rows of its own.
void fill_rope(Pass& pass, std::span<const Sequence> batch) {
  const Rope& rope = pass.config().rope;
  std::size_t shared = 0;
  for (const auto& sequence : batch)
    if (!turns_by_its_length(rope, sequence)) shared = std::max(shared, sequence.ids.size());
  std::vector<std::int32_t> positions(shared);
  std::iota(positions.begin(), positions.end(), 0);
  std::vector<RowRange> own;
  for (const auto& sequence : batch) {
    const auto length = static_cast<std::int32_t>(sequence.ids.size());
    std::int32_t first = 0;
    if (turns_by_its_length(rope, sequence)) {
      first = static_cast<std::int32_t>(positions.size());
      own.push_back({first, length});
      for (std::int32_t t = 0; t < length; ++t) positions.push_back(t);
    }
    for (std::int32_t t = 0; t < length; ++t) pass.rope_index.push_back(first + t);
  }
  fill_rope(pass, positions);
  for (const auto [first, length] : own)
    fill_rope_table(pass.compute, inverse_frequencies_beyond(rope, pass.config().head_dim, length),
                    static_cast<float>(rope.attention_factor),
                    std::span(positions).last(positions.size() - static_cast<std::size_t>(first)),
                    {pass.rope.cosine.slice(first, length), pass.rope.sine.slice(first, length)});
}

// The part of `range` among the ascending `rows`, as indices into them.
RowRange range_among(std::span<const std::int64_t> rows, RowRange range) {
  const auto first = std::ranges::lower_bound(rows, range.first) - rows.begin();
  const auto last = std::ranges::lower_bound(rows, range.first + range.count) - rows.begin();
  return {first, last - first};
}

template <class T>
std::vector<T> pick(const std::vector<T>& all, std::span<const std::int64_t> rows) {
  std::vector<T> picked;
  if (all.empty()) return picked;
  for (const auto row : rows) picked.push_back(all[static_cast<std::size_t>(row)]);
  return picked;
}

}  // namespace

Tail make_tail(const Pass& pass, std::vector<std::int64_t> rows) {
  Pass part(pass.compute, pass.weights);
  part.ids = pick(pass.ids, rows);
  for (const auto& [range, lora] : pass.adapted) part.adapted.push_back({range_among(rows, range), lora});
  if (pass.streamed) part.streamed = part.rows();
  part.has_backward = pass.has_backward;
  part.dropout = pass.dropout;
  part.dropout_seed = pass.dropout_seed;
  part.dropout_stream = pick(pass.dropout_stream, rows);
  part.dropout_position = pick(pass.dropout_position, rows);
  return {std::move(part), std::move(rows)};
}

Pass make_pass(Compute& compute, const DecoderWeights& weights, std::span<const Sequence> batch, const Lora* lora) {
  Pass pass(compute, weights);
  for (const auto& sequence : batch) append_rows(pass, sequence.ids);
  if (lora != nullptr) pass.adapted.push_back({{0, pass.rows()}, lora});
  fill_rope(pass, batch);
  return pass;
}

Pass make_pass(Compute& compute, const DecoderWeights& weights, std::span<const DecodeInput* const> inputs) {
  Pass pass(compute, weights);
  pass.streamed = 0;
  std::vector<std::int32_t> positions;
  for (const DecodeInput* input : inputs) {
    const auto count = static_cast<std::int64_t>(input->ids.size());
    const auto& cache = *input->cache;
    SLIPWAY_ASSERT(count > 0 && cache.size() + count <= cache.capacity() && input->logit_rows <= count);
    SLIPWAY_ASSERT(!input->one_by_one || pass.streamed == pass.rows());
    if (input->lora != nullptr) {
      const bool continues = !pass.adapted.empty() && pass.adapted.back().lora == input->lora &&
                             pass.adapted.back().range.first + pass.adapted.back().range.count == pass.rows() &&
                             (input->one_by_one || pass.streamed != pass.rows());
      if (!continues) pass.adapted.push_back({{pass.rows(), 0}, input->lora});
      pass.adapted.back().range.count += count;
    }
    pass.inputs.push_back(input);
    append_rows(pass, input->ids);
    if (input->one_by_one) pass.streamed = pass.rows();
    for (std::int64_t t = 0; t < count; ++t) positions.push_back(static_cast<std::int32_t>(cache.size() + t));
  }
  pass.rope_index.resize(positions.size());
  std::iota(pass.rope_index.begin(), pass.rope_index.end(), 0);
  fill_rope(pass, positions);
  return pass;
}

}  // namespace slipway::ml
